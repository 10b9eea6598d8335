"""A database of a test's own, for what cannot be rolled back."""

import asyncio
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
from sqlalchemy import URL, make_url

from tests.conftest import ROOT


class Scratch:
    """An empty database, and programs that run on it."""

    def __init__(self, url: URL) -> None:
        self.url = url

    def run(self, *module: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run one of our modules to its end; it must succeed."""
        process = self.start(*module, **environment)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output
        return subprocess.CompletedProcess(module, process.returncode, output)

    def start(self, *module: str, **environment: str) -> "subprocess.Popen[str]":
        variables = os.environ | {"SQL_DATABASE_URL": self.url.render_as_string(hide_password=False)} | environment
        command = [sys.executable, "-m", *module]
        return subprocess.Popen(  # noqa: S603 - our own
            command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return asyncio.run(_fetch(_server(self.url), query))


@contextmanager
def scratch_database() -> Iterator[Scratch]:
    url = make_url(os.environ["SQL_DATABASE_URL"])
    name = f"scratch_{secrets.token_hex(6)}"
    asyncio.run(_fetch(_server(url), f'CREATE DATABASE "{name}"'))
    try:
        yield Scratch(url.set(database=name))
    finally:
        asyncio.run(_fetch(_server(url), f'DROP DATABASE "{name}" WITH (FORCE)'))


def _server(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


async def _fetch(server: str, query: str) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(server)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()
