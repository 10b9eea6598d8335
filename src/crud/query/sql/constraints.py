"""The violated constraints of a table, and their fields, in the errors of PostgreSQL, MySQL and MariaDB."""

import re
from collections.abc import Iterable
from typing import Any

from sqlalchemy import CheckConstraint, Table
from sqlalchemy.exc import DBAPIError

from src.core.exceptions import AppError
from src.crud.query.constraints import Constraint, violation
from src.crud.query.sql.clauses import columns_by_field

# SQLSTATEs of PostgreSQL; numbers of MySQL and MariaDB.
_CONSTRAINTS: dict[Any, Constraint] = {
    "23505": Constraint.UNIQUE,
    "23P01": Constraint.EXCLUSION,
    "23001": Constraint.REFERENCED,
    "23503": Constraint.REFERENCE,
    "23502": Constraint.NOT_NULL,
    "23514": Constraint.CHECK,
    1062: Constraint.UNIQUE,
    1451: Constraint.REFERENCED,
    1452: Constraint.REFERENCE,
    1048: Constraint.NOT_NULL,
    1364: Constraint.NOT_NULL,
    3819: Constraint.CHECK,
    4025: Constraint.CHECK,
}


def table_violation(model: Any, error: BaseException) -> AppError | None:
    """The error to raise for a violated constraint of a table; None if `error` is another one."""
    cause: Any = error.orig if isinstance(error, DBAPIError) else error
    number = next(iter(getattr(cause, "args", ())), None)
    # MySQL has one SQLSTATE for all constraints.
    state = None if isinstance(number, int) else getattr(cause, "sqlstate", None)
    constraint = _CONSTRAINTS.get(state or number)
    if constraint is None:
        return None
    table: Table = model.__table__
    if state is None:  # MySQL quotes names in its messages, those of constraints with their table
        names = [name.rpartition(".")[2] for name in re.findall("[`']([^`']+)[`']", str(cause))]
        names = names[-1:] if constraint is Constraint.UNIQUE else names  # the values come before the key
    else:
        cause = cause.__cause__ if isinstance(error, DBAPIError) else cause
        key = re.search(r"\((.*?)\)=\(", getattr(cause, "detail", None) or "")
        names = [key[1] if key else None, cause.column_name, cause.constraint_name]
        if constraint is Constraint.REFERENCE and not _is_reference(table, cause.table_name, names[0]):
            constraint = Constraint.REFERENCED
    return violation(constraint, _fields(model, names))


def _is_reference(table: Table, violated: str, key: str | None) -> bool:
    """Whether it is the table's own foreign key that is violated, not another one that points to its rows."""
    referencing = {column.parent.name for column in table.foreign_keys}
    return violated == table.name and not referencing.isdisjoint(_words(key))


def _fields(model: Any, names: Iterable[str | None]) -> list[str]:
    """The fields in the first of these columns, expressions and constraints that has any."""
    columns = {column.name: field for field, column in columns_by_field(model).items()}
    definitions = {item.name: _definition(item) for item in (*model.__table__.constraints, *model.__table__.indexes)}
    found = ([columns[word] for word in _words(definitions.get(name, name)) if word in columns] for name in names)
    return next(filter(None, found), [])


def _definition(item: Any) -> str:
    parts = getattr(item, "expressions", getattr(item, "columns", ()))
    return str(item.sqltext) if isinstance(item, CheckConstraint) else " ".join(map(str, parts))


def _words(text: str | None) -> list[str]:
    return re.findall(r"\w+", text or "")
