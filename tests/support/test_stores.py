"""The stores of a session of tests, seen by sessions of their own."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url

from tests.scripts.local.conftest import bare_environment, make_directory, processes_on
from tests.support.databases import PREFIX, query, sql_server
from tests.support.process import Process
from tests.support.stores import ROOT
from tests.support.waiting import wait_until

pytestmark = pytest.mark.process

SESSION = """
import json, os, pathlib, sys, time
from tests.support.stores import SessionStores
before = dict(os.environ)
stores = SessionStores(pathlib.Path(sys.argv[1]))
if "start" in sys.argv:
    stores.start()
print(json.dumps({name: value for name, value in os.environ.items() if before.get(name) != value}), flush=True)
time.sleep(600)
"""
DATABASES = "SELECT datname FROM pg_database WHERE datname"
AWAY = {
    "SQL_DATABASE_URL": "postgresql+asyncpg://a:b@127.0.0.1:1/c",
    "REDIS_DATABASE_URL": "redis://127.0.0.1:1/0",
    "MONGO_DATABASE_URL": "mongodb://127.0.0.1:1/c",
    "MINIO_ENDPOINT": "http://127.0.0.1:1",
    "MINIO_ROOT_USER": "a",
    "MINIO_ROOT_PASSWORD": "b",
}


def pytest_without_stores(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pytest", "-q", *arguments]
    environment = bare_environment(**AWAY)
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - ours


class TestNoStore:
    def test_is_needed_to_collect(self) -> None:
        done = pytest_without_stores("--collect-only", "tests/api/test_notices.py")
        assert done.returncode == 0, done.stdout

    def test_is_needed_for_a_unit_test(self) -> None:
        done = pytest_without_stores("tests/utils/test_byte_range.py")
        assert done.returncode == 0, done.stdout

    def test_is_a_failure_for_any_other(self) -> None:
        assert pytest_without_stores("tests/api/test_notices.py").returncode != 0


@pytest.fixture
def parent() -> Iterator[Path]:
    parent = make_directory()
    yield parent
    shutil.rmtree(parent)


@contextmanager
def session(parent: Path, log: Path, *arguments: str) -> Iterator[tuple[Process, dict[str, str]]]:
    """A session that runs, and its settings."""
    with Process([sys.executable, "-c", SESSION, str(parent), *arguments], log, bare_environment()) as process:
        process.wait_for("}\n")
        yield process, json.loads(process.output.splitlines()[-1])


class TestSessions:
    def test_at_once_share_no_store(self, parent: Path, tmp_path: Path) -> None:
        with session(parent, tmp_path / "one") as (_, one), session(parent, tmp_path / "two") as (_, two):
            assert {name for name in one if one[name] == two[name]} == {"ENVIRONMENT"}

    def test_inherit_nothing_from_a_killed_one(self, parent: Path, tmp_path: Path) -> None:
        with session(parent, tmp_path / "killed", "start") as (killed, _):
            killed.kill()
            wait_until(lambda: processes_on(parent) == [])
        with session(parent, tmp_path / "next", "start") as (_, settings):
            names = query(sql_server(settings["SQL_DATABASE_URL"]), f"{DATABASES} LIKE '{PREFIX}%'")
            assert [name for (name,) in names] == [make_url(settings["SQL_DATABASE_URL"]).database]
        wait_until(lambda: processes_on(parent) == [])
