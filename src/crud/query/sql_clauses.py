"""WHERE and ORDER BY clauses on one table, from the filters and sort keys of `src/core/list_filters.py`."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Integer,
    SmallInteger,
    and_,
    false,
    inspect,
    literal,
    or_,
    true,
    tuple_,
)

from src.core.list_filters import OR, TEXT_OPERATORS, SortKey, Where, split_filter
from src.crud.query.filter_values import checked_value, item_type

_ESCAPE = "/"
_ESCAPES = str.maketrans({character: _ESCAPE + character for character in (_ESCAPE, "%", "_")})

# The condition of each operator, on a column and a value or a bind parameter.
_FILTERS: dict[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "eq": lambda column, value: column == value,
    "ne": lambda column, value: column.is_distinct_from(value),
    "in": lambda column, value: column.in_(value),
    "in_or_null": lambda column, value: or_(column.is_(None), column.in_(value)),
    "not_in": lambda column, value: or_(column.is_(None), column.not_in(value)),
    "not_in_or_null": lambda column, value: and_(column.is_not(None), column.not_in(value)),
    "lt": lambda column, value: column < value,
    "lte": lambda column, value: column <= value,
    "gt": lambda column, value: column > value,
    "gte": lambda column, value: column >= value,
    "contains": lambda column, value: column.icontains(value, escape=_ESCAPE),
    "starts": lambda column, value: column.startswith(value, escape=_ESCAPE),
    "ends": lambda column, value: column.endswith(value, escape=_ESCAPE),
    "null": lambda column, value: column.is_(None) if value else column.is_not(None),
}


def condition_of(name: str, value: Any) -> str:
    """The key of a filter's condition: its operator, and whether the values of `in` or `not_in` include NULL."""
    operator = split_filter(name)[1]
    return f"{operator}_or_null" if operator in ("in", "not_in") and None in value else operator


def escape_like(text: str) -> str:
    """Escape the wildcards of LIKE, so that the pattern matches the text literally."""
    return text.translate(_ESCAPES)


@cache
def columns_by_field(model: Any) -> Mapping[str, Column[Any]]:
    """The columns of a table class by field; a column may have another name than its field."""
    return dict(inspect(model).columns.items())


@cache
def _type_of(column: Column[Any], annotation: Any) -> tuple[Any, int]:
    """The type of a field, and the size of its integers."""
    integers = {SmallInteger: 16, BigInteger: 64, Integer: 32}
    bits = next((size for kind, size in integers.items() if isinstance(column.type, kind)), 64)
    return item_type(annotation, of_lists=False), bits


class TableClauses:
    """Builds clauses from the table's columns: the attributes of the model class give the same SQL, but slower."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.columns = columns_by_field(model)

    def matches(self, where: Where) -> list[ColumnElement[bool]]:
        """Conditions for the rows that pass all filters and are not soft-deleted."""
        return [*self.filters(where), *self.not_deleted()]

    def not_deleted(self) -> list[ColumnElement[bool]]:
        """The condition that hides soft-deleted rows; none if the table has no soft delete."""
        return [self.columns["delete_time"].is_(None)] if "delete_time" in self.columns else []

    def filters(self, where: Where) -> list[ColumnElement[bool]]:
        """Conditions for the rows that pass all filters.

        Raises:
            ValueError: A field or an operator does not exist.
        """
        conditions = []
        for name, value in where.items():
            if name == OR:
                conditions.append(self.any_of([self.filters(alternative) for alternative in value]))
            else:
                encoded = self.encode(name, value)
                conditions.append(self.filter(name, condition_of(name, value), encoded))
        return conditions

    def any_of(self, alternatives: Sequence[Sequence[ColumnElement[bool]]]) -> ColumnElement[bool]:
        """The condition that all conditions of one alternative hold."""
        return or_(false(), *(and_(true(), *conditions) for conditions in alternatives))

    def filter(self, name: str, condition: str, value: Any) -> ColumnElement[bool]:
        """The condition of one filter; `value` is an encoded value or a bind parameter."""
        return _FILTERS[condition](self.column(split_filter(name)[0]), value)

    def encode(self, name: str, value: Any) -> Any:
        """A filter's value as the statement needs it: checked, without NULL in lists, and escaped for LIKE.

        Raises:
            InvalidInputError: It is no value of the field's type.
        """
        field, operator = split_filter(name)
        kind, bits = self._type(field)
        checked = checked_value(field, operator, value, kind, bits)
        if operator in ("in", "not_in"):
            return [item for item in checked if item is not None]
        return escape_like(checked) if operator in TEXT_OPERATORS else checked

    def _type(self, field: str) -> tuple[Any, int]:
        return _type_of(self.column(field), self.model.model_fields[field].annotation)

    def search(self, names: Sequence[str], value: Any) -> ColumnElement[bool]:
        """The condition that any of these fields contains `value`, an escaped text or a bind parameter."""
        return or_(*(_FILTERS["contains"](self.column(name), value) for name in names))

    def order(self, keys: Sequence[SortKey]) -> list[ColumnElement[Any]]:
        """The ORDER BY clauses; NULL is the lowest value."""
        return [self._ordered(self.column(key.name), descending=key.descending) for key in keys]

    def after(self, keys: Sequence[SortKey], position: Sequence[Any]) -> ColumnElement[bool] | None:
        """One row-value comparison that selects the rows after a position, which an index on the keys can serve.

        None if there is no such comparison: the keys have different directions, or a column is nullable.
        """
        columns = [self.column(key.name) for key in keys]
        directions = {key.descending for key in keys}
        if len(directions) > 1 or any(column.nullable for column in columns):
            return None
        bound = tuple_(*(literal(value, column.type) for column, value in zip(columns, position, strict=True)))
        return tuple_(*columns) < bound if directions.pop() else tuple_(*columns) > bound

    def column(self, name: str) -> Column[Any]:
        """The column of a field.

        Raises:
            ValueError: There is no such field.
        """
        if name not in self.columns:
            raise ValueError(f"{self.model.__name__} has no field {name!r}.")
        return self.columns[name]

    @staticmethod
    def _ordered(column: Column[Any], *, descending: bool) -> ColumnElement[Any]:
        ordered = column.desc() if descending else column.asc()
        if not column.nullable:
            return ordered
        return ordered.nulls_last() if descending else ordered.nulls_first()
