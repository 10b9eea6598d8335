"""The example of nginx agrees with the settings of the processes behind it."""

import re

import pytest

from src.core.config.app import AppSettings
from tests.support.stores import ROOT

pytestmark = pytest.mark.unit

CONFIGURATION = (ROOT / "docs/deploy/nginx.conf").read_text()


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

    def test_sends_a_client_of_socket_io_to_one_process(self) -> None:
        assert "hash $remote_addr" in block("upstream sockets")
        assert "proxy_pass http://sockets" in block("location /socket.io/")

    @pytest.mark.parametrize("upstream", ["upstream api", "upstream sockets"])
    def test_leaves_no_process_out_for_a_single_error(self, upstream: str) -> None:
        servers = re.findall(r"server \S+ max_fails=(\d+) fail_timeout=(\d+)s", block(upstream))
        assert [(int(fails) > 1, int(timeout) <= 5) for fails, timeout in servers] == [(True, True)] * 2

    def test_hides_the_metrics(self) -> None:
        assert "return 404" in block("location = /metrics")

    def test_replaces_the_address_that_a_client_claims(self) -> None:
        assert "proxy_set_header X-Forwarded-For $remote_addr;" in CONFIGURATION
