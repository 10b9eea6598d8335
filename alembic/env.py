"""Migrations of the SQL database, with the application's own settings and models."""

import asyncio
import sys
from typing import Any, Literal

from alembic import context
from alembic.runtime.migration import MigrationInfo
from alembic.util import CommandError
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlmodel import SQLModel

import src.models
from src.core.config import settings
from src.core.preflight import CONNECTION_ERRORS, require_known, unreachable

assert src.models.__all__  # noqa: S101 - the import itself is what counts: it fills the metadata

# Two deployments at once: the second waits for the first, and then finds nothing to do.
_MIGRATION_LOCK = 7_283_064_519


def render_item(kind: str, item: Any, autogen_context: Any) -> str | Literal[False]:
    """Write SQLModel's string type as the plain SQLAlchemy type that it is."""
    if kind == "type" and type(item).__name__ == "AutoString":
        return f"sa.String(length={item.length})" if item.length else "sa.String()"
    return False


def show_step(ctx: Any, step: MigrationInfo, heads: Any, run_args: Any) -> None:
    """Print a migration once it has run."""
    for revision in context.script.get_revisions(step.up_revision_ids):
        print("Applied " if step.is_upgrade else "Reverted", revision.revision, revision.doc)


def show_empty(_context: Any, _revision: Any, directives: list[Any]) -> None:
    """Say so when a new migration has nothing to do."""
    if getattr(context.config.cmd_opts, "autogenerate", False) and directives[0].upgrade_ops.is_empty():
        print("Models and database do not differ: the new migration is empty.")


def migrate(connection: Connection) -> None:
    """Run what the command asks for, in one transaction."""
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        compare_type=True,
        compare_server_default=True,
        render_item=render_item,
        on_version_apply=show_step,
        process_revision_directives=show_empty,
    )
    migration = context.get_context()
    with context.begin_transaction():
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
        require_known(context.script, migration.get_current_heads(), settings)
        context.run_migrations()
        if "destination_rev" in migration.opts:
            print(f"The database is at revision {', '.join(migration.get_current_heads()) or 'base'}.")


async def migrate_online() -> None:
    """Connect without the request's timeouts: a migration may take its time."""
    engine = create_async_engine(settings.sql.url_without_pooler, poolclass=NullPool)
    connection = engine.connect()
    try:
        _ = await connection.start()
    except CONNECTION_ERRORS as error:
        raise unreachable(settings.sql.url_without_pooler, error) from error
    try:
        await connection.run_sync(migrate)
    finally:
        await connection.close()


if context.is_offline_mode():
    context.configure(
        url=settings.sql.url_without_pooler,
        target_metadata=SQLModel.metadata,
        literal_binds=True,
        render_item=render_item,
        dialect_opts={"paramstyle": "named"},
    )
    with context.begin_transaction():
        context.run_migrations()
else:
    try:
        asyncio.run(migrate_online())
    except CommandError as error:
        sys.exit(f"{error} Run scripts/alembic/migrate.sh." if "not up to date" in str(error) else f"{error}")
