"""The SQL database, MongoDB database and bucket of one test session. Existing data is never touched."""

import asyncio
import hashlib
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg
from minio import Minio
from pymongo import MongoClient
from sqlalchemy import make_url

from scripts.local.process import PROJECT_ROOT

PREFIX = "pytest_"
TEMPORARY = PREFIX, "scratch_"
TEMPLATE = "schema_"


class Databases:
    """New databases on the configured servers: named at once, created by `create`, dropped by `drop`.

    Attributes:
        environment: The environment variables that name them.
    """

    def __init__(self, configured: Mapping[str, str]) -> None:
        self._configured = configured
        self.name = f"{PREFIX}{secrets.token_hex(6)}"
        self.server = sql_server(configured["SQL_DATABASE_URL"])
        sql = make_url(configured["SQL_DATABASE_URL"]).set(database=self.name)
        self.environment = {
            "SQL_DATABASE_URL": sql.render_as_string(hide_password=False),
            "MONGO_DATABASE_URL": _mongo_url(configured["MONGO_DATABASE_URL"], self.name),
        }

    def create(self, template: str = "template1") -> None:
        """Create the SQL database as a copy of another; MongoDB creates its own on the first write."""
        query(self.server, f'CREATE DATABASE "{self.name}" TEMPLATE "{template}"')

    def drop(self) -> None:
        query(self.server, f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')
        with MongoClient[dict[str, object]](self._configured["MONGO_DATABASE_URL"]) as mongo:
            mongo.drop_database(self.name)


@contextmanager
def own_databases(template: str = "template1") -> Iterator[dict[str, str]]:
    """Fresh databases on the configured servers, dropped at the end; yields the variables that name them."""
    databases = Databases(os.environ)
    databases.create(template)
    try:
        yield databases.environment
    finally:
        databases.drop()


class Bucket:
    """An empty bucket on the configured server."""

    def __init__(self, configured: Mapping[str, str]) -> None:
        self._configured = configured
        self._name = f"pytest-{secrets.token_hex(6)}"
        self.environment = {"MINIO_BUCKET": self._name}

    def create(self) -> None:
        self._client().make_bucket(self._name)

    def drop(self) -> None:
        """Remove it with its objects and unfinished uploads."""
        s3 = self._client()
        for item in s3.list_objects(self._name, recursive=True):
            s3.remove_object(self._name, str(item.object_name))
        for upload in s3._list_multipart_uploads(self._name).uploads:
            s3._abort_multipart_upload(self._name, upload.object_name, str(upload.upload_id))
        s3.remove_bucket(self._name)

    def _client(self) -> Minio:
        server = urlsplit(self._configured["MINIO_ENDPOINT"])
        keys = self._configured["MINIO_ROOT_USER"], self._configured["MINIO_ROOT_PASSWORD"]
        return Minio(server.netloc, *keys, secure=server.scheme == "https")


def template_name() -> str:
    """Name of the template database with the schema of the current migrations, on embedded servers."""
    migrations = b"".join(file.read_bytes() for file in sorted((PROJECT_ROOT / "alembic").rglob("*.py")))
    return f"{TEMPLATE}{hashlib.sha256(migrations).hexdigest()[:12]}"


def current_template(server: str) -> str | None:
    """The template database with the schema of the current migrations, if the server has one."""
    name = template_name()
    return name if query(server, f"SELECT 1 FROM pg_database WHERE datname = '{name}'") else None  # noqa: S608 - a digest


def sql_server(url: str) -> str:
    """The URL for asyncpg."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def query(server: str, statement: str) -> list[tuple[Any, ...]]:
    """Run one statement on a connection of its own, outside any transaction."""
    return asyncio.run(_query(server, statement))


async def _query(server: str, statement: str) -> list[tuple[Any, ...]]:
    connection = await asyncpg.connect(server)
    try:
        return [tuple(row) for row in await connection.fetch(statement)]
    finally:
        await connection.close()


def _mongo_url(url: str, database: str) -> str:
    """The same server and the same login, another database."""
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    if parts.username:
        options.setdefault("authSource", parts.path.strip("/") or "admin")
    return parts._replace(path=f"/{database}", query=urlencode(options)).geturl()
