"""A database for one test, where a rollback is not enough."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import SecretStr
from sqlalchemy import URL

from src.core.config.sql_urls import sql_url
from tests.support.databases import query, sql_server, template_name
from tests.support.process import measured
from tests.support.stores import ROOT
from tests.support.waiting import PATIENCE_SECONDS

# A program that must succeed waits for a disk that is busy with other tests: stores wait for it at each commit.
PATIENT = dict.fromkeys(("MONGO_TIMEOUT_SECONDS", "REDIS_TIMEOUT_SECONDS"), str(PATIENCE_SECONDS / 2))


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

    def start(self, *module: str, **environment: str) -> "subprocess.Popen[str]":
        variables = os.environ | {"SQL_DATABASE_URL": self.url.render_as_string(hide_password=False)} | environment
        if module[0].startswith("src."):
            variables |= measured
        command = [sys.executable, "-m", *module]
        return subprocess.Popen(  # noqa: S603 - our own
            command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        return query(_server(self.url), statement)


@contextmanager
def scratch_database(*, migrated: bool = False) -> Iterator[Scratch]:
    """A new database, dropped at the end; with the current schema if `migrated`."""
    url = sql_url("SQL_DATABASE_URL", SecretStr(os.environ["SQL_DATABASE_URL"]))
    name, template = f"scratch_{secrets.token_hex(6)}", template_name()
    has_template = query(_server(url), f"SELECT 1 FROM pg_database WHERE datname = '{template}'")  # noqa: S608 - a digest
    copied = template if migrated and has_template else "template1"
    query(_server(url), f'CREATE DATABASE "{name}" TEMPLATE "{copied}"')
    try:
        scratch = Scratch(url.set(database=name))
        if migrated and not has_template:
            scratch.run("alembic", "upgrade", "head")
        yield scratch
    finally:
        query(_server(url), f'DROP DATABASE "{name}" WITH (FORCE)')


def _server(url: URL) -> str:
    return sql_server(url.render_as_string(hide_password=False))
