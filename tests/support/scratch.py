"""A database for one test, where a rollback is not enough."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from pydantic import SecretStr
from sqlalchemy import URL

from src.core.config.sql_urls import sql_url
from tests.support.databases import current_template, query, sql_server
from tests.support.fork_server import start
from tests.support.process import measured
from tests.support.waiting import PATIENCE_SECONDS

# A program that must succeed waits for a disk that is busy with other tests: stores wait for it at each commit.
PATIENT = dict.fromkeys(("MONGO_TIMEOUT_SECONDS", "REDIS_TIMEOUT_SECONDS"), str(PATIENCE_SECONDS / 2))


class Program:
    """One of our modules, running; what it writes goes to a file."""

    def __init__(self, module: Sequence[str], environment: Mapping[str, str]) -> None:
        self._output = TemporaryFile()  # noqa: SIM115 - closed by `communicate`
        command = [sys.executable, "-m", *module]
        with Path(os.devnull).open() as nothing:
            self._process = start(command, environment, output=self._output, errors=self._output, stdin=nothing)

    @property
    def returncode(self) -> int | None:
        return self._process.returncode

    @property
    def output(self) -> str:
        """What it has written so far."""
        number = self._output.fileno()
        return os.pread(number, os.fstat(number).st_size, 0).decode()

    def communicate(self, timeout: float) -> tuple[str, None]:
        """Wait for its end, and return its output."""
        self._process.wait(timeout)
        output = self.output
        self._output.close()
        return output, None


class Scratch:
    """A database, and programs that run on it."""

    def __init__(self, url: URL) -> None:
        self.url = url

    def run(self, *module: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run one of our modules to its end; it must succeed."""
        process = self.start(*module, **PATIENT | environment)
        output, _ = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 0, output
        return subprocess.CompletedProcess(module, process.returncode, output)

    def start(self, *module: str, **environment: str) -> Program:
        variables = os.environ | {"SQL_DATABASE_URL": self.url.render_as_string(hide_password=False)} | environment
        if module[0].startswith("src."):
            variables |= measured
        return Program(module, variables)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        return query(_server(self.url), statement)


@contextmanager
def scratch_database(*, migrated: bool = False) -> Iterator[Scratch]:
    """A new database, dropped at the end; with the current schema if `migrated`."""
    url = sql_url("SQL_DATABASE_URL", SecretStr(os.environ["SQL_DATABASE_URL"]))
    name = f"scratch_{secrets.token_hex(6)}"
    template = current_template(_server(url)) if migrated else "template1"
    query(_server(url), f'CREATE DATABASE "{name}" TEMPLATE "{template or "template1"}"')
    try:
        scratch = Scratch(url.set(database=name))
        if template is None:
            scratch.run("alembic", "upgrade", "head")
        yield scratch
    finally:
        query(_server(url), f'DROP DATABASE "{name}" WITH (FORCE)')


def _server(url: URL) -> str:
    return sql_server(url.render_as_string(hide_password=False))
