"""The product as a reader starts it: in databases and on a broker of its own."""

import os
import shlex
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
from tests.support.databases import current_template, own_databases, sql_server
from tests.support.process import Process
from tests.support.scratch import Program
from tests.support.waiting import PATIENCE_SECONDS

Start = Callable[[str], Process]


@pytest.fixture(scope="session")
def template() -> str | None:
    """A database with the schema, to be copied; None where each test session runs the migrations."""
    return current_template(sql_server(os.environ["SQL_DATABASE_URL"]))


@pytest.fixture(scope="session")
def environment(template: str | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What a reader has: the project's programs on PATH, stores without data, and their own modules importable."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    modules = tmp_path_factory.mktemp("modules")
    with own_databases(template or "template1") as databases:
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
def database(environment: dict[str, str], template: str | None) -> None:
    """Schema and first data, by what the scripts run."""
    for module in [["src.initdb"]] if template else [["alembic", "upgrade", "head"], ["src.initdb"]]:
        program = Program(module, environment)
        output, _ = program.communicate(PATIENCE_SECONDS)
        assert program.returncode == 0, output


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
        start(f"{sys.executable} -m uvicorn src.main:app").wait_for("Uvicorn running")
        yield client
