import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from scripts.local.errors import LocalError
from scripts.local.ports import Ports, parse_port
from scripts.local.process import PROJECT_ROOT
from scripts.local.stores import STORES, embedded_stores
from scripts.local.wheel import locate
from tests.scripts.local.conftest import bare_environment, processes_on
from tests.support.waiting import wait_until

pytestmark = pytest.mark.process


@pytest.fixture
def only_postgresql(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that brings all stores but PostgreSQL."""
    for store in STORES:
        for name in store.settings:
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv(store.settings[-1], "elsewhere")
    monkeypatch.delenv("POSTGRESQL_HOST")


class TestContext:
    def test_starts_what_the_environment_does_not_configure(self, only_postgresql: None, directory: Path) -> None:
        with embedded_stores(directory) as variables:
            assert "SQL_DATABASE_URL" in variables
            assert not variables.keys() & {"REDIS_DATABASE_URL", "MONGO_DATABASE_URL", "MINIO_ENDPOINT"}

    async def test_serves_a_real_database(self, only_postgresql: None, directory: Path) -> None:
        with embedded_stores(directory) as variables:
            connection = await asyncpg.connect(variables["SQL_DATABASE_URL"].replace("+asyncpg", ""))
            assert await connection.fetchval("SHOW timezone") == "UTC"
            await connection.close()

    def test_stops_at_its_end(self, only_postgresql: None, directory: Path) -> None:
        with embedded_stores(directory):
            assert processes_on(directory)
        assert processes_on(directory) == []

    def test_leaves_nothing_when_its_process_is_killed(self, directory: Path) -> None:
        code = (
            "import pathlib, sys, time; from scripts.local.stores import embedded_stores\n"
            "with embedded_stores(pathlib.Path(sys.argv[1])): print(); sys.stdout.flush(); time.sleep(600)"
        )
        process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-c", code, str(directory)],
            cwd=PROJECT_ROOT,
            env=bare_environment(MONGO_HOST="elsewhere"),
            stdout=subprocess.PIPE,
        )
        with process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"\n"
            process.kill()
        wait_until(lambda: processes_on(directory) == [], seconds=10)

    def test_keeps_the_users_own_keys(
        self, only_postgresql: None, directory: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ACCESS_TOKEN_KEY", "mine")
        monkeypatch.delenv("REFRESH_TOKEN_KEY", raising=False)
        with embedded_stores(directory) as variables:
            assert "REFRESH_TOKEN_KEY" in variables
            assert "ACCESS_TOKEN_KEY" not in variables

    def test_reports_the_last_words_of_a_server_that_cannot_start(self, only_postgresql: None, directory: Path) -> None:
        with embedded_stores(directory):
            pass
        (directory / "postgresql/data/PG_VERSION").write_text("7\n")
        with pytest.raises(LocalError, match="PostgreSQL ended with exit code 1"), embedded_stores(directory):
            pass


class TestMissingServer:
    @pytest.mark.parametrize(("package", "pattern"), [("no_such_package", "*"), ("scripts.local", "no-such-program")])
    def test_names_the_store_and_the_way_out(self, package: str, pattern: str) -> None:
        with pytest.raises(LocalError, match=r"^Redis: no embedded server .* Use docker compose up -d --build\.$"):
            locate(package, pattern, "Redis")


class TestPorts:
    def test_lie_below_those_of_outgoing_connections(self) -> None:
        ports = Ports.free()
        assert all(port < 32_768 for port in (ports.postgresql, ports.redis, ports.mongodb, ports.s3))

    @pytest.mark.parametrize("text", ["http", "0", "-1", "65532", "16000.5"])
    def test_refuse_what_is_no_port(self, text: str) -> None:
        with pytest.raises(LocalError, match="PORT must be a number"):
            parse_port(text)

    def test_follow_the_port_of_the_api(self) -> None:
        assert Ports.after(16000) == Ports(postgresql=16001, redis=16002, mongodb=16003, s3=16004)
