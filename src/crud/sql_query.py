"""Selections in SQL. Conditions are on the table's columns: the attributes of the class say the same, and cost more."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, literal, or_, tuple_

from src.core.query import Key, Selection, Where, split_filter

_FILTERS: dict[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "eq": lambda column, value: column == value,
    "ne": lambda column, value: column.is_distinct_from(value),
    "in": lambda column, value: column.in_(value),
    "not_in": lambda column, value: or_(column.is_(None), column.not_in(value)),
    "lt": lambda column, value: column < value,
    "lte": lambda column, value: column <= value,
    "gt": lambda column, value: column > value,
    "gte": lambda column, value: column >= value,
    "contains": lambda column, value: column.icontains(value, autoescape=True),
    "starts": lambda column, value: column.startswith(value, autoescape=True),
    "null": lambda column, value: column.is_(None) if value else column.is_not(None),
}


class SQLQuery:
    """Conditions and orders on one table."""

    def __init__(self, table: Table) -> None:
        self.table = table

    def matches(self, selection: Selection) -> list[ColumnElement[bool]]:
        """The rows that a selection wants; those that are deleted are none of them."""
        conditions = self.filters(selection.where)
        if selection.keyword:
            searched = (_FILTERS["contains"](self.column(name), selection.keyword) for name in selection.searched)
            conditions.append(or_(*searched))
        if "delete_time" in self.table.c:
            conditions.append(self.table.c.delete_time.is_(None))
        return conditions

    def filters(self, where: Where) -> list[ColumnElement[bool]]:
        """The rows that pass all filters.

        Raises:
            ValueError: There is no such field or operator.
        """
        named = ((*split_filter(name), value) for name, value in where.items())
        return [_FILTERS[operator](self.column(field), value) for field, operator, value in named]

    def order(self, keys: Sequence[Key]) -> list[ColumnElement[Any]]:
        """The order, missing values before all others."""
        return [self._ordered(self.column(key.name), descending=key.descending) for key in keys]

    def after(self, keys: Sequence[Key], position: Sequence[Any]) -> ColumnElement[bool] | None:
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
