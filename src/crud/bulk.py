"""Many rows into one table with one statement."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Table, insert, text
from sqlmodel.ext.asyncio.session import AsyncSession


def with_defaults(table: Table, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows, with the columns' defaults where they leave one out: every row has every column."""
    defaults = [(column.name, _default(column)) for column in table.columns]
    return [{name: row[name] if name in row else default() for name, default in defaults} for row in rows]


def _default(column: Column[Any]) -> Any:
    default = column.default
    if default is None:
        return lambda: None
    if default.is_callable:
        # SQLAlchemy wraps the function, to hand it a context that none of ours asks for.
        return lambda: default.arg(None)  # type: ignore[attr-defined]  # of the callable kind
    return lambda: default.arg  # type: ignore[attr-defined]  # of the scalar kind


async def insert_rows(session: AsyncSession, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add complete rows: by COPY on PostgreSQL, elsewhere by one INSERT with many values."""
    connection = await session.connection()
    if connection.dialect.driver != "asyncpg":
        await connection.execute(insert(table).values(list(rows)))
        return
    # The driver's transaction starts with SQLAlchemy's first statement, and COPY goes past SQLAlchemy.
    await connection.execute(text("SELECT 1"))
    processors = [
        (column.name, column.type.dialect_impl(connection.dialect).bind_processor(connection.dialect))
        for column in table.columns
    ]
    driver = (await connection.get_raw_connection()).driver_connection
    assert driver is not None  # noqa: S101 - a connection that is in use has one
    records = [tuple(process(row[name]) if process else row[name] for name, process in processors) for row in rows]
    await driver.copy_records_to_table(
        table.name, schema_name=table.schema, columns=[name for name, _ in processors], records=records
    )
