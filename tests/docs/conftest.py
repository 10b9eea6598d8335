"""The product as a reader starts it: in databases and on a broker of its own, by the commands of the README."""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from scripts.local.ports import Ports
from src.core.config import settings
from tests.docs.readme import ROOT
from tests.support.databases import own_databases

PATIENCE_SECONDS = 30


class Command:
    """A command of the README that runs until it is stopped."""

    def __init__(self, command: str, environment: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("w") as output:
            self.process = subprocess.Popen(  # noqa: S603 - a line of the README
                shlex.split(command), cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
            )

    def wait_until(self, condition: Callable[[], object]) -> None:
        """Return once a condition holds."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def wait_for(self, text: str) -> None:
        """Return once its output contains a text."""
        self.wait_until(lambda: text in self.log.read_text())

    def stop(self) -> int:
        """Ask it to end, and return its exit code."""
        self.process.terminate()
        try:
            return self.process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


Start = Callable[[str], Command]


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What a reader has: the project's programs on PATH, stores without data, and their own modules importable."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    modules = tmp_path_factory.mktemp("modules")
    with own_databases() as databases:
        yield {
            **os.environ,
            **databases,
            "REDIS_DATABASE_URL": settings.redis.url_of_database(8),
            "CELERY_REDIS_DATABASE": "9",
            "BOOTSTRAP": "0",
            "PATH": path,
            "PYTHONPATH": f"{modules}{os.pathsep}{ROOT}",
        }


@contextmanager
def starting(environment: dict[str, str], directory: Path) -> Iterator[Start]:
    """Start commands, and stop those that still run at the end."""
    with ExitStack() as stack:
        commands: list[Command] = []

        def start(line: str) -> Command:
            command = Command(line, environment, directory / f"{len(commands)}.log")
            commands.append(command)
            stack.callback(lambda: command.process.poll() is None and command.stop())
            return command

        yield start


@pytest.fixture
def start(environment: dict[str, str], database: None, tmp_path: Path) -> Iterator[Start]:
    with starting(environment, tmp_path) as start:
        yield start


@pytest.fixture(scope="session")
def database(environment: dict[str, str]) -> None:
    """Schema and first data, by the scripts."""
    for script in ("scripts/alembic/migrate.sh", "scripts/initdb.sh"):
        subprocess.run([ROOT / script], env=environment, check=True)  # noqa: S603 - our own


@pytest.fixture(scope="session")
def site(
    environment: dict[str, str], database: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """A client of the running API."""
    url = f"http://127.0.0.1:{Ports.free().postgresql}"
    port = url.rpartition(":")[2]
    with (
        starting({**environment, "UVICORN_PORT": port}, tmp_path_factory.mktemp("site")) as start,
        httpx.Client(base_url=url) as client,
    ):
        start("uvicorn src.main:app").wait_for("Uvicorn running")
        yield client
