"""The example of nginx agrees with the settings of the processes behind it."""

import re
import subprocess
from pathlib import Path

import pytest
from uvicorn import Config

from scripts.check.nginx import EXAMPLE, find_nginx, write_configuration
from src.core.config.app import AppSettings

pytestmark = pytest.mark.unit

NGINX = find_nginx()
CONFIGURATION = EXAMPLE.read_text()


def block(opening: str) -> str:
    """The text of a block without inner blocks."""
    found = re.search(re.escape(opening) + r" \{([^{}]*)\}", CONFIGURATION)
    assert found, opening
    return found[1]


def seconds(directive: str, where: str) -> float:
    return float(re.findall(rf"{directive} (\d+)s;", where)[0])


def default(name: str) -> float:
    return float(AppSettings.model_fields[name].default)


class TestTheExample:
    def test_waits_longer_than_a_request_may_take(self) -> None:
        assert seconds("proxy_read_timeout", block("location /")) > default("request_timeout_seconds")

    def test_accepts_bodies_that_the_api_accepts(self) -> None:
        mebibytes = re.findall(r"client_max_body_size (\d+)m;", CONFIGURATION)
        assert int(mebibytes[0]) * 1024 * 1024 == default("max_body_bytes")

    @pytest.mark.parametrize("number", [0, 1])
    def test_sends_a_client_of_socket_io_to_the_process_that_its_cookie_names(self, number: int) -> None:
        ports = [16000 + number, 16001 - number]
        servers = re.findall(r"server 127.0.0.1:(\d+) max_fails=0( backup)?;", block(f"upstream sockets_{number}"))
        assert servers == [(str(ports[0]), ""), (str(ports[1]), " backup")]
        assert f"{number} sockets_{number};" in block("map $cookie_route $sockets")
        assert f"~:{ports[0]}$ {number};" in block("map $upstream_addr $route")
        location = block("location /socket.io/")
        assert "proxy_pass http://$sockets;" in location
        assert 'Set-Cookie "route=$route;' in location

    def test_leaves_no_process_out_for_a_single_error(self) -> None:
        servers = re.findall(r"server \S+ max_fails=(\d+) fail_timeout=(\d+)s", block("upstream api"))
        assert [(int(fails) > 1, int(timeout) <= 5) for fails, timeout in servers] == [(True, True)] * 2

    def test_closes_idle_connections_before_uvicorn_does(self) -> None:
        assert seconds("keepalive_timeout", block("upstream api")) < Config("app").timeout_keep_alive

    def test_hides_the_metrics(self) -> None:
        assert "return 404" in block("location = /metrics")

    def test_replaces_the_address_that_a_client_claims(self) -> None:
        assert "proxy_set_header X-Forwarded-For $remote_addr;" in CONFIGURATION

    if NGINX:  # where it is installed

        def test_is_accepted_by_nginx(self, tmp_path: Path) -> None:
            main = write_configuration(tmp_path, EXAMPLE, {})
            command = [NGINX or "", "-t", "-p", str(tmp_path), "-e", str(tmp_path / "error.log"), "-c", str(main)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - found by name
            assert done.returncode == 0, done.stderr
