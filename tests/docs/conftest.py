"""The product as a reader starts it: in databases and on a broker of its own, by the commands of the README."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

import httpx
import pytest

from scripts.local.ports import Ports
from src.core.config import settings
from tests.docs.readme import ROOT
from tests.support.databases import own_databases
from tests.support.process import Process

Start = Callable[[str], Process]


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
        numbers = count()

        def start(line: str) -> Process:
            process = stack.enter_context(Process(shlex.split(line), directory / f"{next(numbers)}.log", environment))
            stack.callback(process.stop)
            return process

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
