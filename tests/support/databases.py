"""Databases and a bucket that belong to one test session, so that nothing which was there before can be touched."""

import asyncio
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg
from minio import Minio
from pymongo import MongoClient
from sqlalchemy import make_url


@contextmanager
def own_databases() -> Iterator[dict[str, str]]:
    """Create a fresh SQL and a fresh Mongo database on the configured servers, and drop them at the end.

    Yields:
        The environment variables that lead to them.
    """
    name = f"pytest_{secrets.token_hex(6)}"
    sql = make_url(os.environ["SQL_DATABASE_URL"])
    server = sql.set(drivername="postgresql").render_as_string(hide_password=False)
    mongo: MongoClient[dict[str, object]] = MongoClient(os.environ["MONGO_DATABASE_URL"])
    asyncio.run(_execute(server, f'CREATE DATABASE "{name}"'))
    try:
        yield {
            "SQL_DATABASE_URL": sql.set(database=name).render_as_string(hide_password=False),
            "MONGO_DATABASE_URL": _mongo_url(os.environ["MONGO_DATABASE_URL"], name),
        }
    finally:
        asyncio.run(_execute(server, f'DROP DATABASE "{name}" WITH (FORCE)'))
        mongo.drop_database(name)
        mongo.close()


@contextmanager
def own_bucket() -> Iterator[dict[str, str]]:
    """Create an empty bucket on the configured server, and remove it with all that is in it at the end.

    Yields:
        The environment variable that names it.
    """
    name = f"pytest-{secrets.token_hex(6)}"
    server = urlsplit(os.environ["MINIO_ENDPOINT"])
    keys = os.environ["MINIO_ROOT_USER"], os.environ["MINIO_ROOT_PASSWORD"]
    s3 = Minio(server.netloc, *keys, secure=server.scheme == "https")
    s3.make_bucket(name)
    try:
        yield {"MINIO_BUCKET": name}
    finally:
        for item in s3.list_objects(name, recursive=True):
            s3.remove_object(name, str(item.object_name))
        for upload in s3._list_multipart_uploads(name).uploads:
            s3._abort_multipart_upload(name, upload.object_name, str(upload.upload_id))
        s3.remove_bucket(name)


def _mongo_url(url: str, database: str) -> str:
    """The same server and the same login, another database."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    if parts.username:
        query.setdefault("authSource", parts.path.strip("/") or "admin")
    return parts._replace(path=f"/{database}", query=urlencode(query)).geturl()


async def _execute(server: str, statement: str) -> None:
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
