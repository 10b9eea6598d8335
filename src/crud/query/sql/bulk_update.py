"""Statements that change many rows of one table at once, each row to values of its own."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table, Values, and_, cast, column, update, values
from sqlalchemy.dialects import postgresql

from src.crud.query.sql.bulk_insert import is_filled
from src.crud.query.sql.clauses import TableClauses

Changes = Mapping[str, Any]


def insertable(clauses: TableClauses, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """The values of new rows by column, without the columns that the database fills."""
    columns = {
        field: column
        for field, column in clauses.columns.items()
        if not is_filled(column) or any(getattr(row, field) is not None for row in rows)
    }
    return [{column.key: getattr(row, field) for field, column in columns.items()} for row in rows]


def upsert_statement(
    clauses: TableClauses,
    rows: Sequence[Mapping[str, Any]],
    by: Sequence[str],
    names: Sequence[str],
    touched: Changes,
    dialect: str,
) -> Any:
    """INSERT … ON CONFLICT: of existing rows, the fields `names` get the new values, and others those of `touched`."""
    columns = clauses.columns
    table: Table = clauses.model.__table__
    names = names if names or touched else by[:1]  # nothing to change: the key stays as it is
    if dialect == "mysql":
        from sqlalchemy.dialects import mysql  # imported here: slow, and rarely needed

        inserted = mysql.insert(table).values(list(rows))
        new = {columns[name]: inserted.inserted[columns[name].key] for name in names}
        return inserted.on_duplicate_key_update(new | {columns[name]: value for name, value in touched.items()})
    insert = postgresql.insert(table).values(list(rows))
    new = {columns[name]: insert.excluded[columns[name].key] for name in names}
    return insert.on_conflict_do_update(
        index_elements=[columns[name] for name in by],
        # Matches a unique index of all rows as well.
        index_where=and_(*TableClauses(clauses.model).not_deleted()) if "delete_time" in columns else None,
        set_=new | {columns[name]: value for name, value in touched.items()},
    )


def update_statement(clauses: TableClauses, rows: Sequence[Changes], by: Sequence[str], touched: Changes) -> Any:
    """UPDATE … FROM (VALUES …): each row gets its own values; the first are those of the key `by`."""
    new = _new_values(clauses, rows)
    same = [clauses.column(name) == new.c[name] for name in by]
    # The type of a column that is NULL in all rows would be text.
    changes = {name: cast(new.c[name], clauses.column(name).type) for name in rows[0] if name not in by}
    return update(clauses.model).where(*same, *clauses.not_deleted()).values({**changes, **touched})


def _new_values(clauses: TableClauses, rows: Sequence[Changes]) -> Values:
    columns = (column(name, clauses.column(name).type) for name in rows[0])
    return values(*columns, name="new").data([tuple(row.values()) for row in rows])
