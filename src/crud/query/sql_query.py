"""Selections in SQL. Conditions are on the table's columns: the attributes of the class say the same, and cost more."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, literal, or_, tuple_

from src.core.query import SortKey, Where, split_filter

_ESCAPE = "/"
_SPECIAL = str.maketrans({character: _ESCAPE + character for character in (_ESCAPE, "%", "_")})

# What a filter makes of its column and its value, or of a place for one.
_FILTERS: dict[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "eq": lambda column, value: column == value,
    "ne": lambda column, value: column.is_distinct_from(value),
    "in": lambda column, value: column.in_(value),
    "not_in": lambda column, value: or_(column.is_(None), column.not_in(value)),
    "lt": lambda column, value: column < value,
    "lte": lambda column, value: column <= value,
    "gt": lambda column, value: column > value,
    "gte": lambda column, value: column >= value,
    "contains": lambda column, value: column.icontains(value, escape=_ESCAPE),
    "starts": lambda column, value: column.startswith(value, escape=_ESCAPE),
    "null": lambda column, value: column.is_(None) if value else column.is_not(None),
}


def encoded(name: str, value: Any) -> Any:
    """The value of a filter as it goes into a statement."""
    return escaped(value) if split_filter(name)[1] in ("contains", "starts") else value


def escaped(text: str) -> str:
    """The text, as a pattern that matches nothing else."""
    return text.translate(_SPECIAL)


class SQLQuery:
    """Conditions and orders on one table."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def matches(self, where: Where) -> list[ColumnElement[bool]]:
        """The rows that pass all filters; those that are deleted are none of them."""
        return [*self.filters(where), *self.visible()]

    def visible(self) -> list[ColumnElement[bool]]:
        """The rows that are not deleted."""
        return [self.table.c.delete_time.is_(None)] if "delete_time" in self.table.c else []

    def filters(self, where: Where) -> list[ColumnElement[bool]]:
        """The rows that pass all filters.

        Raises:
            ValueError: There is no such field or operator.
        """
        return [self.filter(name, encoded(name, value)) for name, value in where.items()]

    def filter(self, name: str, value: Any) -> ColumnElement[bool]:
        """One filter, of an encoded value or of a place for one."""
        field, operator = split_filter(name)
        return _FILTERS[operator](self.column(field), value)

    def search(self, names: Sequence[str], value: Any) -> ColumnElement[bool]:
        """The rows that have an escaped text, or what is in a place for one, in any of these fields."""
        return or_(*(_FILTERS["contains"](self.column(name), value) for name in names))

    def order(self, keys: Sequence[SortKey]) -> list[ColumnElement[Any]]:
        """The order, missing values before all others."""
        return [self._ordered(self.column(key.name), descending=key.descending) for key in keys]

    def after(self, keys: Sequence[SortKey], position: Sequence[Any]) -> ColumnElement[bool] | None:
        """One condition for the rows after a position, where an index serves it: all in one direction, none missing."""
        columns = [self.column(key.name) for key in keys]
        descending = {key.descending for key in keys}
        if len(descending) > 1 or any(column.nullable for column in columns):
            return None
        bound = tuple_(*(literal(value, column.type) for column, value in zip(columns, position, strict=True)))
        return tuple_(*columns) < bound if descending.pop() else tuple_(*columns) > bound

    def column(self, name: str) -> Column[Any]:
        """The column of a field.

        Raises:
            ValueError: There is none.
        """
        if name not in self.table.c:
            raise ValueError(f"{self.table.name} has no field {name!r}.")
        return self.table.c[name]

    @staticmethod
    def _ordered(column: Column[Any], *, descending: bool) -> ColumnElement[Any]:
        ordered = column.desc() if descending else column.asc()
        if not column.nullable:
            return ordered
        return ordered.nulls_last() if descending else ordered.nulls_first()
