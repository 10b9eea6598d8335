"""Migrations of one SQL database, with the application's own settings and models.

`alembic` migrates the primary, `alembic -n NAME` a database of `SQL_DATABASES`, with the section NAME of alembic.ini.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

from alembic import context
from alembic.runtime.migration import MigrationInfo
from alembic.util import CommandError
from sqlalchemy import URL, Connection, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool
from sqlmodel import SQLModel

import src.models
from src.core.config import settings
from src.core.preflight import CONNECTION_ERRORS, require_known, unreachable
from src.core.stores.sql import AdvisoryLock
from src.models.search_index import PREFIX, create_search_indexes

assert src.models.__all__  # noqa: S101 - the import itself is what counts: it fills the metadata

# The name in `SQL_DATABASES`; None is the primary.
DATABASE = None if context.config.config_ini_section == "alembic" else context.config.config_ini_section
TABLES = [table for table in SQLModel.metadata.sorted_tables if table.info.get("database") == DATABASE]

# Two deployments at once: the second waits for the first (`AdvisoryLock.MIGRATIONS`), and then finds nothing to do.
_SECONDS_BETWEEN_TRIES = 0.5
# While a statement waits for a table's lock, all later queries on the table wait behind it: better to let them pass.
_LOCK_TIMEOUT = "2s"
_LOCK_ATTEMPTS = 30
_NO_SEARCH_INDEXES = (
    "Searches by keyword read whole tables: the extension pg_trgm is missing, and this user cannot create it. "
    "As an administrator, run CREATE EXTENSION pg_trgm in this database, then scripts/alembic/migrate.sh."
)


def render_item(kind: str, item: Any, autogen_context: Any) -> str | Literal[False]:
    """Write SQLModel's string type as the plain SQLAlchemy type that it is."""
    if kind == "type" and type(item).__name__ == "AutoString":
        return f"sa.String(length={item.length})" if item.length else "sa.String()"
    return False


def database_url() -> URL:
    """The database to migrate.

    Raises:
        CommandError: `SQL_DATABASES` has no PostgreSQL database of this name.
    """
    if DATABASE is None:
        return settings.sql.url_without_pooler
    url = settings.sql.named_urls.get(DATABASE)
    if url is None or url.get_backend_name() != "postgresql":
        raise CommandError(f"SQL_DATABASES has no PostgreSQL database named {DATABASE!r}.")
    return url


def include_object(item: Any, name: str | None, kind: str, _reflected: bool, _other: Any) -> bool:
    """Compare the tables of this database's models, without search indexes; in a named one, leave others' tables."""
    if kind == "table":
        return bool(item.info.get("database") == DATABASE)
    return kind != "index" or not (name or "").startswith(PREFIX)


def show_step(ctx: Any, step: MigrationInfo, heads: Any, run_args: Any) -> None:
    """Print a migration once it has run."""
    for revision in context.script.get_revisions(step.up_revision_ids):
        print("Applied " if step.is_upgrade else "Reverted", revision.revision, revision.doc)


def review(migration: Any, _revision: Any, directives: list[Any]) -> None:
    """Complete a generated migration and print what to check in it; write none if nothing has changed."""
    if getattr(context.config.cmd_opts, "autogenerate", False):
        from scripts.alembic.review import add_enum_values, warnings  # tools of development: images have none

        upgrade = directives[0].upgrade_ops
        add_enum_values(migration.connection, TABLES, upgrade)
        for warning in warnings(upgrade):
            print(f"Check: {warning}")
        if upgrade.is_empty():
            print("Models and database do not differ: nothing to migrate.")
            directives.clear()


def migrate(connection: Connection) -> bool:
    """Run what the command asks for, each revision in a transaction; returns whether it led to the newest."""
    context.configure(
        connection=connection,
        target_metadata=SQLModel.metadata,
        compare_type=True,
        compare_server_default=True,
        transaction_per_migration=True,
        render_item=render_item,
        include_object=include_object,
        on_version_apply=show_step,
        process_revision_directives=review,
    )
    migration = context.get_context()
    require_known(context.script, migration.get_current_heads(), settings)
    connection.rollback()
    with context.begin_transaction():
        context.run_migrations()
    if "destination_rev" not in migration.opts:
        return False
    print(f"The database is at revision {', '.join(migration.get_current_heads()) or 'base'}.")
    return set(migration.get_current_heads()) == set(context.script.get_heads())


async def migrate_online() -> None:
    """Migrate under a lock, without the request's timeouts: a migration may take its time."""
    engine = create_async_engine(database_url(), poolclass=NullPool)
    event.listen(engine.sync_engine, "begin", limit_lock_waits)
    async with connected(engine) as guard, locked(guard), engine.connect() as connection:
        for attempt in range(1, _LOCK_ATTEMPTS + 1):
            try:
                if await connection.run_sync(migrate):
                    await connection.rollback()
                    if not await create_search_indexes(guard, TABLES):
                        print(_NO_SEARCH_INDEXES)
                break
            except DBAPIError as error:
                await connection.rollback()
                if getattr(error.orig, "sqlstate", None) != "55P03" or attempt == _LOCK_ATTEMPTS:
                    raise
                print(f"A table is in use for longer than {_LOCK_TIMEOUT}; trying again ({attempt}).", flush=True)
                await asyncio.sleep(_SECONDS_BETWEEN_TRIES * min(attempt, 10))


def limit_lock_waits(connection: Connection) -> None:
    """Limit how long a transaction waits for locks; in an `autocommit_block`, this has no effect."""
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")


@asynccontextmanager
async def connected(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection without transactions.

    Raises:
        PreflightError: The server cannot be used.
    """
    connection = engine.execution_options(isolation_level="AUTOCOMMIT").connect()
    try:
        _ = await connection.start()
    except CONNECTION_ERRORS as error:
        raise unreachable(engine.url, error) from error
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def locked(guard: AsyncConnection) -> AsyncIterator[None]:
    """Hold the migration lock, which ends with its connection.

    It is tried for again and again: CREATE INDEX CONCURRENTLY would wait for a statement that waits for the lock.
    """
    taking = f"SELECT pg_try_advisory_lock({AdvisoryLock.MIGRATIONS:d})"
    while not (await guard.exec_driver_sql(taking)).scalar_one():  # noqa: ASYNC110 - others release it
        await asyncio.sleep(_SECONDS_BETWEEN_TRIES)
    yield


if context.is_offline_mode():
    context.configure(
        url=database_url(),
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
