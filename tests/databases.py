"""Databases that belong to one test session, so that nothing which was there before can be touched."""

import asyncio
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg
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
