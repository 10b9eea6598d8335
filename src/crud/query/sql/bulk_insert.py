"""Insert many rows into one table at once, with the same values as one by one."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from types import NoneType
from typing import Any

from sqlalchemy import Column, insert, text
from sqlmodel.ext.asyncio.session import AsyncSession

from src.crud.query.sql.clauses import columns_by_field, identity_of

# The values of one field. Rows are handled field by field: 10,000 of them take a third of the time.
Values = Sequence[Any]


def values_by_field(model: Any, rows: Sequence[Mapping[str, Any]]) -> dict[str, Values]:
    """The rows' values by field; a value that a row omits is the field's default, or None."""
    return {name: _values(model.model_fields[name], name, rows) for name in columns_by_field(model)}


def _values(field: Any, name: str, rows: Sequence[Mapping[str, Any]]) -> Values:
    default = _default(field)
    return [row[name] if name in row else default() for row in rows]


def _default(field: Any) -> Callable[[], Any]:
    if field.default_factory is not None and not field.default_factory_takes_validated_data:
        factory: Callable[[], Any] = field.default_factory  # pydantic's own way takes longer than most factories
        return factory
    value = None if field.is_required() else field.get_default(call_default_factory=True)
    return lambda: deepcopy(value)


async def insert_rows(session: AsyncSession, model: Any, values: Mapping[str, Values]) -> None:
    """Insert rows, given by `values_by_field`.

    Columns that the database or SQLAlchemy fills (identities, computed columns, defaults) are left out of the rows that
    have None there. If those are all rows or none, PostgreSQL gets one COPY; otherwise it is one INSERT for each set of
    columns.
    """
    columns = columns_by_field(model)
    filled = {name for name, column in columns.items() if is_filled(column) and NoneType in _types(values[name])}
    connection = await session.connection()
    if connection.dialect.driver == "asyncpg" and all(
        _is_filled_by_server(columns[name]) and _types(values[name]) == {NoneType} for name in filled
    ):
        await _copy(connection, {columns[name]: column for name, column in values.items() if name not in filled})
        return
    rows = (dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True))
    given = [{name: value for name, value in row.items() if value is not None or name not in filled} for row in rows]
    await session.exec(insert(model), params=given)


def is_assigned_by_database(model: Any, values: Mapping[str, Values]) -> bool:
    """Whether rows lack a key, which the database assigns."""
    columns = columns_by_field(model)
    return any(is_filled(columns[name]) and NoneType in _types(values[name]) for name in identity_of(model))


async def insert_for_keys(session: AsyncSession, model: Any, values: Mapping[str, Values]) -> Sequence[Any]:
    """Insert rows whose keys the database assigns, and return the keys in the same order."""
    columns = columns_by_field(model)
    given = {name for name, column in columns.items() if not (is_filled(column) and _types(values[name]) == {NoneType})}
    rows = [dict(zip(given, row, strict=True)) for row in zip(*(values[name] for name in given), strict=True)]
    keys = [getattr(model, name) for name in identity_of(model)]
    statement: Any = insert(model).returning(*keys, sort_by_parameter_order=True)
    result = await session.exec(statement, params=rows)
    return [tuple(row) if len(keys) > 1 else row[0] for row in result]


def is_filled(column: Column[Any]) -> bool:
    """Whether SQLAlchemy or the database replaces None."""
    return column.default is not None or _is_filled_by_server(column)


def _is_filled_by_server(column: Column[Any]) -> bool:
    return column.server_default is not None or column is column.table.autoincrement_column


def _types(values: Values) -> set[type]:
    return set(map(type, values))


async def _copy(connection: Any, values: Mapping[Column[Any], Values]) -> None:
    # COPY bypasses SQLAlchemy, which begins the driver's transaction only with its own first statement.
    await connection.execute(text("SELECT 1"))
    encoded = []
    for column, plain in values.items():
        process = column.type.dialect_impl(connection.dialect).bind_processor(connection.dialect)
        encoded.append([process(value) for value in plain] if process else plain)
    table = next(iter(values)).table
    driver = (await connection.get_raw_connection()).driver_connection
    await driver.copy_records_to_table(
        table.name,
        schema_name=table.schema,
        columns=[column.name for column in values],
        records=zip(*encoded, strict=True),
    )
