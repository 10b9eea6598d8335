"""Stores of one process that runs tests: its settings exist at once, its servers start when tests run.

Embedded servers keep their data directory in `.local/test/N`, with the first N that no other process uses, so that they
start in a second from the second run on. Each run has new databases, a new bucket and an empty Redis.
"""

import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

from dotenv import dotenv_values
from pymongo import MongoClient

from scripts.local.children import Children
from scripts.local.directory import locked
from scripts.local.errors import LocalError
from scripts.local.mongodb import MongoDB
from scripts.local.ports import LOOPBACK, Ports
from scripts.local.postgresql import PostgreSQL
from scripts.local.process import PROJECT_ROOT
from scripts.local.redis import Redis
from scripts.local.s3 import S3
from scripts.local.store import Store
from scripts.local.stores import STORES, needed_stores, start_stores, stores_environment
from tests.support.databases import TEMPLATE, TEMPORARY, Bucket, Databases, current_template, query, template_name

ROOT = PROJECT_ROOT
MAXIMUM_PROCESSES = 50


# On a busy machine a store may take seconds. Tests of stores that do not answer set timeouts themselves.
PATIENT = dict.fromkeys(("MONGO_TIMEOUT_SECONDS", "REDIS_TIMEOUT_SECONDS", "SQL_CONNECT_TIMEOUT_SECONDS"), "10")
PATIENT["REQUEST_TIMEOUT_SECONDS"] = "60"
# Tests report themselves, so that nothing arrives that they did not cause.
PATIENT["OPS_REPORT_SECONDS"] = "0"


def settings_of_tests() -> dict[str, str]:
    """The environment, over `.env.pytest`."""
    shared = {name: value for name, value in dotenv_values(ROOT / ".env.pytest").items() if value is not None}
    return {**PATIENT, **shared, **os.environ, "ENVIRONMENT": "TESTING"}


class SessionStores:
    """Puts the settings of its stores into the environment until it is closed. `start` changes no setting."""

    def __init__(self, parent: Path | None = None) -> None:
        """Choose a data directory in the parent, by default in `.local/test`, and lock it."""
        self._exit = ExitStack()
        self._configured = settings_of_tests()
        self._embedded = needed_stores(self._configured)
        self._directory = _lock_data_directory(parent or _default_parent(self._exit), self._exit)
        self._held_ports = self._exit.enter_context(ExitStack())
        self._ports = _hold_ports(self._held_ports)
        self._servers = self._configured | stores_environment(self._directory, self._ports, self._configured)
        self._databases, self._bucket = Databases(self._servers), Bucket(self._servers)
        own = self._databases.environment | self._bucket.environment
        self._exit.enter_context(patch.dict(os.environ, self._servers | own))

    @property
    def has_own_redis(self) -> bool:
        """Whether no setting names another Redis."""
        return Redis in self._embedded

    def start(self) -> None:
        """Start the servers, and create databases, schema and bucket."""
        self._held_ports.close()
        self._start_servers()
        self._exit.callback(self._databases.drop)
        # The tests of a copy of the project run on the stores of ours.
        template = self._template() if PostgreSQL in self._embedded else current_template(self._databases.server)
        self._databases.create(template or "template1")
        if template is None:
            _migrate(self._databases)
        self._bucket.create()
        self._exit.callback(self._bucket.drop)

    def close(self) -> None:
        """Drop what `start` created, stop the servers, and restore the environment."""
        self._exit.close()

    def _start_servers(self) -> None:
        children = Children(self._directory)
        self._exit.callback(children.stop)
        _remove_data(self._directory, Redis, S3)
        try:
            start_stores(self._directory, self._ports, self._configured, children)
        except LocalError:  # the data is damaged or of another version; it is disposable
            children.stop()
            _remove_data(self._directory, *STORES)
            start_stores(self._directory, self._ports, self._configured, children)
        if MongoDB in self._embedded:
            with MongoClient[dict[str, object]](self._servers["MONGO_DATABASE_URL"]) as mongo:
                for name in mongo.list_database_names():
                    if name.startswith(TEMPORARY):
                        mongo.drop_database(name)

    def _template(self) -> str:
        """The template database with the current schema, created once for these migrations."""
        current = template_name()
        names = {name for (name,) in query(self._databases.server, "SELECT datname FROM pg_database")}
        for name in names - {current}:
            if name.startswith((TEMPLATE, *TEMPORARY)):
                query(self._databases.server, f'DROP DATABASE "{name}" WITH (FORCE)')
        if current not in names:
            new = Databases(self._servers)
            new.create()
            _migrate(new)
            query(self._databases.server, f'ALTER DATABASE "{new.name}" RENAME TO "{current}"')
        return current


def _default_parent(stack: ExitStack) -> Path:
    if not os.environ.get("CI"):
        return ROOT / ".local" / "test"
    parent = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="multidb-", ignore_cleanup_errors=True)))
    parent.chmod(0o755)  # PostgreSQL drops root's rights, and still has to get there
    return parent


def _lock_data_directory(parent: Path, stack: ExitStack) -> Path:
    for number in range(1, MAXIMUM_PROCESSES):
        try:
            stack.enter_context(locked(parent / str(number), "tests"))
        except LocalError:  # another process has it
            continue
        return parent / str(number)
    raise LocalError(f"No data directory for the stores of tests is free in {parent}.")


def _hold_ports(stack: ExitStack) -> Ports:
    """Free ports, reserved until the stack closes: we listen on them."""
    held: list[int] = []
    for port in random.sample(range(20_000, 32_768), k=200):  # the kernel gives none of these to outgoing connections
        if len(held) == len(STORES):
            break
        listener = stack.enter_context(socket.socket())
        try:
            listener.bind((LOOPBACK, port))
            listener.listen()
        except OSError:
            continue
        held.append(port)
    return Ports(*held)


def _remove_data(directory: Path, *stores: type[Store]) -> None:
    for store in stores:
        shutil.rmtree((directory / store.key).resolve(), ignore_errors=True)  # PostgreSQL's may be a link


def _migrate(databases: Databases) -> None:
    command = [sys.executable, "-m", "alembic", "upgrade", "head"]
    environment = os.environ | databases.environment
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    if done.returncode:
        raise RuntimeError(f"The migrations failed.\n{done.stdout}{done.stderr}")
