from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from alembic.runtime.migration import MigrationContext
from asyncpg import Connection
from sqlalchemy import Connection as SQLConnection
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import AsyncEngine

SECONDS = 24 * 3600
_VERSIONS = "alembic_version"
_SEQUENCES = "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = current_schema() ORDER BY 1"


async def dump(engine: AsyncEngine, directory: Path, only: Collection[str] | None = None) -> dict[str, Any]:
    """Write each table, or only some, in PostgreSQL's binary format, all as of one moment.

    Returns:
        `revisions` of the schema, columns and number of rows of each of the `tables`, and values of the `sequences`.
    """
    directory.mkdir(parents=True)
    async with engine.connect() as connection:
        revisions = await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_heads())
        metadata = await connection.run_sync(_reflect, only)
    tables, serials = {}, set()
    async with _connected(engine) as database, database.transaction(isolation="repeatable_read", readonly=True):
        for table in metadata.sorted_tables:
            columns = [column.name for column in table.columns if column.computed is None]
            order = ", ".join(f'"{column.name}"' for column in table.primary_key) or "1"
            names = ", ".join(f'"{name}"' for name in columns)
            query = f'SELECT {names} FROM "{table.name}" ORDER BY {order}'  # noqa: S608 - names of our tables
            file = directory / f"{table.name}.copy"
            done = await database.copy_from_query(query, output=str(file), format="binary", timeout=SECONDS)
            tables[table.name] = {"columns": columns, "rows": int(done.removeprefix("COPY "))}
            serials |= {f"{table.name}_{name}_seq" for name in columns}
        values = {name: value for name, value in await database.fetch(_SEQUENCES) if value is not None}
    sequences = {name: value for name, value in values.items() if only is None or name in serials}
    return {"revisions": list(revisions), "tables": tables, "sequences": sequences}


async def is_empty(engine: AsyncEngine, only: Collection[str] | None = None) -> bool:
    """Whether the schema has none of the tables."""
    async with engine.connect() as connection:
        return not (await connection.run_sync(_reflect, only)).tables


async def load(engine: AsyncEngine, directory: Path, manifest: dict[str, Any]) -> None:
    """Fill the tables, which the migrations have created, in one transaction."""
    names = ", ".join(f'"{name}"' for name in manifest["tables"])
    async with _connected(engine) as database, database.transaction():
        await database.execute(f"TRUNCATE {names}")  # what migrations inserted
        for name, table in manifest["tables"].items():
            file = str(directory / f"{name}.copy")
            await database.copy_to_table(name, source=file, columns=table["columns"], format="binary", timeout=SECONDS)
        for name, value in manifest["sequences"].items():
            await database.execute("SELECT setval($1::regclass, $2)", f'"{name}"', value)


def _reflect(connection: SQLConnection, only: Collection[str] | None) -> MetaData:
    """The tables, referred ones first."""
    metadata = MetaData()
    metadata.reflect(connection, only=lambda name, _: name != _VERSIONS and (only is None or name in only))
    return metadata


@asynccontextmanager
async def _connected(engine: AsyncEngine) -> AsyncIterator[Connection]:
    """Asyncpg's own connection: SQLAlchemy has no COPY."""
    async with engine.connect() as connection:
        driver: Connection = (await connection.get_raw_connection()).driver_connection
        await driver.execute("SET statement_timeout = 0")
        yield driver
        await connection.invalidate()  # its settings are not for others
