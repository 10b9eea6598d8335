"""Migrations of the SQL database, with the application's own settings and models."""

import asyncio
from typing import Any, Literal

from alembic import context
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlmodel import SQLModel

import src.models
from src.core.config import settings

assert src.models.__all__  # noqa: S101 - the import itself is what counts: it fills the metadata

# Two deployments at once: the second waits for the first, and then finds nothing to do.
_MIGRATION_LOCK = 7_283_064_519


def render_item(kind: str, item: Any, autogen_context: Any) -> str | Literal[False]:
    """Write SQLModel's string type as the plain SQLAlchemy type that it is."""
    if kind == "type" and type(item).__name__ == "AutoString":
        return f"sa.String(length={item.length})" if item.length else "sa.String()"
    return False


def migrate(connection: Connection) -> None:
    """Run what the command asks for, in one transaction."""
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        compare_type=True,
        compare_server_default=True,
        render_item=render_item,
    )
    with context.begin_transaction():
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
        context.run_migrations()


async def migrate_online() -> None:
    """Connect without the request's timeouts: a migration may take its time."""
    engine = create_async_engine(settings.sql.url, poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(migrate)
    await engine.dispose()


if context.is_offline_mode():
    context.configure(
        url=settings.SQL_DATABASE_URL,
        target_metadata=SQLModel.metadata,
        literal_binds=True,
        render_item=render_item,
        dialect_opts={"paramstyle": "named"},
    )
    with context.begin_transaction():
        context.run_migrations()
else:
    asyncio.run(migrate_online())
