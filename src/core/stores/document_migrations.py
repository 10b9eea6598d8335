"""Migrations of stored documents; each runs once, as part of the deployment (`scripts/initdb.sh`)."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from pymongo.asynchronous.database import AsyncDatabase
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from src.core.config.sql import SQLSettings
from src.core.stores.sql import AdvisoryLock
from src.utils.date import utc_now

log = structlog.get_logger(__name__)

Database = AsyncDatabase[dict[str, Any]]

COLLECTION = "migrations"


@dataclass(frozen=True, slots=True)
class DocumentMigration:
    """One migration.

    Attributes:
        name: The name under which it is recorded; do not change it once it is released.
        apply: Migrates the documents. It must be idempotent: if a process dies while it runs, it runs again.
    """

    name: str
    apply: Callable[[Database], Awaitable[object]]


async def migrate_documents(
    settings: SQLSettings, database: Database, migrations: Sequence[DocumentMigration]
) -> Sequence[str]:
    """Run, in order, the migrations that have not run yet, and return their names.

    An advisory lock in PostgreSQL keeps concurrent deployments apart; it is released if its process dies.
    """
    engine = create_async_engine(settings.url_without_pooler, poolclass=NullPool)  # without the time limits of requests
    try:
        async with engine.begin() as connection:
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({AdvisoryLock.DOCUMENT_MIGRATIONS:d})"))
            return await _run(database, migrations)
    finally:
        await engine.dispose()


async def _run(database: Database, migrations: Sequence[DocumentMigration]) -> Sequence[str]:
    records = database[COLLECTION]
    done = {record["_id"] async for record in records.find()}
    new = [migration for migration in migrations if migration.name not in done]
    for migration in new:
        await migration.apply(database)
        await records.insert_one({"_id": migration.name, "time": utc_now()})
        log.info("documents_migrated", migration=migration.name)
    return [migration.name for migration in new]
