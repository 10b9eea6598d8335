"""Changes of documents that are already stored, each made once; a part of the deployment, as those of tables."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from pymongo.asynchronous.database import AsyncDatabase
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from src.core.config.sql import SQLSettings
from src.utils.date import utc_now

log = structlog.get_logger(__name__)

Database = AsyncDatabase[dict[str, Any]]

COLLECTION = "migrations"

# An arbitrary number, and this lock's alone.
_LOCK = 7_283_064_521


@dataclass(frozen=True, slots=True)
class DocumentMigration:
    """One change.

    Attributes:
        name: Under which it is recorded; never changed once it is released.
        apply: Makes it. A process that dies in it runs it again: it has to find its own half-done work in order.
    """

    name: str
    apply: Callable[[Database], Awaitable[object]]


async def migrate_documents(
    settings: SQLSettings, database: Database, migrations: Sequence[DocumentMigration]
) -> Sequence[str]:
    """Make, in order, what has not been made yet; returns the names.

    Two deployments at once take turns by a lock in PostgreSQL, which goes with the process that holds it.
    """
    engine = create_async_engine(settings.url, poolclass=NullPool)  # without the time limits of requests
    try:
        async with engine.begin() as connection:
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            return await _make(database, migrations)
    finally:
        await engine.dispose()


async def _make(database: Database, migrations: Sequence[DocumentMigration]) -> Sequence[str]:
    records = database[COLLECTION]
    made = {record["_id"] async for record in records.find()}
    new = [migration for migration in migrations if migration.name not in made]
    for migration in new:
        await migration.apply(database)
        await records.insert_one({"_id": migration.name, "time": utc_now()})
        log.info("documents_migrated", migration=migration.name)
    return [migration.name for migration in new]
