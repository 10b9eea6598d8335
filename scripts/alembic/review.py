"""Reviews generated migrations: what Alembic does not see, what loses data, and what locks a table while it is used."""

from collections.abc import Iterator, Sequence
from typing import Any

from alembic.operations import ops
from sqlalchemy import Connection, Enum, Table, text

_CONCURRENTLY = (
    "with op.get_context().autocommit_block(): op.drop_index(…, postgresql_concurrently=True, if_exists=True); "
    "op.create_index(…, postgresql_concurrently=True)"
)
_LABELS = "SELECT enumlabel FROM pg_enum JOIN pg_type ON pg_type.oid = enumtypid WHERE typname = :name"


def add_enum_values(connection: Connection, tables: Sequence[Table], upgrade: ops.UpgradeOps) -> None:
    """Add the new values of enum types, which Alembic does not compare."""
    columns = [column for table in tables for column in table.columns]
    for kind in {column.type.name: column.type for column in columns if isinstance(column.type, Enum)}.values():
        labels = set(connection.execute(text(_LABELS), {"name": kind.name}).scalars())
        new = [value for value in kind.enums if labels and value not in labels]
        upgrade.ops[:0] = [
            ops.ExecuteSQLOp(f"ALTER TYPE {kind.name} ADD VALUE IF NOT EXISTS '{value}'") for value in new
        ]


def warnings(upgrade: ops.UpgradeOps) -> Iterator[str]:
    """What to check in a migration, and the safe way to do it."""
    created = {item.table_name for item in _flat(upgrade) if isinstance(item, ops.CreateTableOp)}
    for item in _flat(upgrade):
        table = str(getattr(item, "table_name", None) or getattr(item, "source_table", ""))
        if table not in created:
            yield from _warnings(item, table, [other for other in _flat(upgrade) if other is not item])


def _warnings(item: Any, table: str, others: list[Any]) -> Iterator[str]:
    match item:
        case ops.DropTableOp():
            yield f"{table} is dropped with its rows. First release code that does not use it."
        case ops.DropColumnOp():
            added = [other for other in others if isinstance(other, ops.AddColumnOp) and other.table_name == table]
            names = ", ".join(other.column.name for other in added)
            yield f"{table}.{item.column_name} is dropped with its values. First release code that does not use it." + (
                f" If it is renamed ({names}): op.alter_column({table!r}, {item.column_name!r}, new_column_name=…)."
                if added
                else ""
            )
        case ops.AddColumnOp() if not item.column.nullable and item.column.server_default is None:
            yield (
                f"{table}.{item.column.name} is NOT NULL without server_default: this fails if the table has rows. Add "
                "a server_default, or add it nullable, fill it, and set NOT NULL in the next migration."
            )
        case ops.AlterColumnOp():
            yield from _warnings_of_change(item, f"{table}.{item.column_name}")
        case ops.CreateIndexOp() if not item.kw.get("postgresql_concurrently"):
            yield f"An index of {table} is created, and writes wait. On a big table: {_CONCURRENTLY}."
        case ops.CreateForeignKeyOp() | ops.CreateCheckConstraintOp():
            yield (
                f"A constraint of {table} checks all rows while writes wait. On a big table: add it with "
                "postgresql_not_valid=True, in the next migration op.execute('ALTER TABLE … VALIDATE CONSTRAINT …')."
            )
        case ops.CreateUniqueConstraintOp():
            yield (
                f"A unique constraint of {table} is created, and queries wait. On a big table: create a unique index "
                f"({_CONCURRENTLY}), then op.execute('ALTER TABLE … ADD CONSTRAINT … UNIQUE USING INDEX …')."
            )


def _warnings_of_change(item: ops.AlterColumnOp, column: str) -> Iterator[str]:
    if item.modify_type is not None:
        yield (
            f"The type of {column} changes: the table may be rewritten, and queries wait. On a big table: add a "
            "column, fill it, and release code that uses it."
        )
    if item.modify_nullable is False:
        yield (
            f"{column} becomes NOT NULL: this fails if it has NULLs, and checks all rows while queries wait. On a big "
            "table: add CHECK (… IS NOT NULL) NOT VALID and validate it before."
        )


def _flat(container: Any) -> Iterator[Any]:
    for item in container.ops:
        if isinstance(item, ops.ModifyTableOps):
            yield from _flat(item)
        else:
            yield item
