"""WHERE and ORDER BY clauses on one table, from the filters and sort keys of `src/core/list_filters.py`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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
    func,
    inspect,
    literal,
    or_,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import JSONPATH

from src.core.list_filters import OR, TEXT_OPERATORS, SortKey, Where, split_filter
from src.crud.query.filter_values import checked_value, item_type
from src.crud.query.sql.json_paths import is_json, json_filter, json_path, json_text
from src.crud.query.sql.relations import Relation, expanded, relations_of

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
    "ieq": lambda column, value: func.lower(column) == func.lower(value),
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
def identity_of(model: Any) -> tuple[str, ...]:
    """The fields of a table's primary key."""
    fields = {column: name for name, column in columns_by_field(model).items()}
    return tuple(fields[column] for column in inspect(model).primary_key)


@cache
def _type_of(column: Column[Any], annotation: Any) -> tuple[Any, int]:
    """The type of a field, and the size of its integers."""
    integers = {SmallInteger: 16, BigInteger: 64, Integer: 32}
    bits = next((size for kind, size in integers.items() if isinstance(column.type, kind)), 64)
    return item_type(annotation, of_lists=False), bits


@dataclass(frozen=True, slots=True)
class TableClauses:
    """Builds clauses from the table's columns: the attributes of the model class give the same SQL, but slower.

    Attributes:
        sees_deleted: Soft-deleted rows are like others.
    """

    model: Any
    sees_deleted: bool = False

    @property
    def columns(self) -> Mapping[str, Column[Any]]:
        """The columns by field."""
        return columns_by_field(self.model)

    def matches(self, where: Where) -> list[ColumnElement[bool]]:
        """Conditions for the rows that pass all filters and are not soft-deleted."""
        return [*self.filters(where), *self.not_deleted()]

    def not_deleted(self) -> list[ColumnElement[bool]]:
        """The condition that hides soft-deleted rows; none if the table has no soft delete."""
        hides = "delete_time" in self.columns and not self.sees_deleted
        return [self.columns["delete_time"].is_(None)] if hides else []

    def filters(self, where: Where) -> list[ColumnElement[bool]]:
        """Conditions for the rows that pass all filters.

        Raises:
            ValueError: A field or an operator does not exist.
        """
        conditions = []
        for name, value in expanded(self.model, where):
            if name == OR:
                conditions.append(self.any_of([self.filters(alternative) for alternative in value]))
            elif relation := self.relation(name, value):
                conditions.append(relation.exists(TableClauses(relation.model).filters(value)))
            else:
                encoded = self.encode(name, value)
                conditions.append(self.filter(name, condition_of(name, value), encoded))
        return conditions

    def relation(self, name: str, value: Any) -> Relation | None:
        """The relation that a filter is about, if its value is a mapping of nested filters."""
        return relations_of(self.model).get(name) if isinstance(value, Mapping) else None

    def any_of(self, alternatives: Sequence[Sequence[ColumnElement[bool]]]) -> ColumnElement[bool]:
        """The condition that all conditions of one alternative hold."""
        return or_(false(), *(and_(true(), *conditions) for conditions in alternatives))

    def filter(self, name: str, condition: str, value: Any) -> ColumnElement[bool]:
        """The condition of one filter; `value` is an encoded value or a bind parameter."""
        field = split_filter(name)[0]
        if condition == "null" and field in relations_of(self.model):
            exists = relations_of(self.model)[field].exists([])
            return ~exists if value else exists
        if "." in field:
            return json_filter(self._json_column(field), field, condition, value)
        return _FILTERS[condition](self.column(field), value)

    def encode(self, name: str, value: Any) -> Any:
        """A filter's value as the statement needs it: checked, without NULL in lists, and escaped for LIKE.

        Raises:
            InvalidInputError: It is no value of the field's type.
        """
        field, operator = split_filter(name)
        if "." in field:
            self._json_column(field)
            checked = checked_value(field, operator, value, Any, 64)
            return value if operator == "null" or value is None else json_path(field, operator, checked)
        if operator == "null":
            return value
        kind, bits = self._type(field)
        checked = checked_value(field, operator, value, kind, bits)
        if operator in ("in", "not_in"):
            return [item for item in checked if item is not None]
        return escape_like(checked) if operator in TEXT_OPERATORS - {"ieq"} else checked

    def value_type(self, name: str) -> Any:
        """The SQL type of a filter's encoded value."""
        field = split_filter(name)[0]
        return JSONPATH() if "." in field else self.column(field).type

    def _type(self, field: str) -> tuple[Any, int]:
        return _type_of(self.column(field), self.model.model_fields[field].annotation)

    def search(self, names: Sequence[str], value: Any) -> ColumnElement[bool]:
        """The condition that any of these fields contains `value`, an escaped text or a bind parameter."""
        return or_(*(self._contains(name, value) for name in names))

    def _contains(self, name: str, value: Any) -> ColumnElement[bool]:
        head, _, rest = name.partition(".")
        if relation := relations_of(self.model).get(head):
            return relation.exists([TableClauses(relation.model)._contains(rest, value)])
        return _FILTERS["contains"](json_text(self._json_column(name), rest) if rest else self.column(name), value)

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

    def _json_column(self, path: str) -> Column[Any]:
        column = self.columns.get(path.partition(".")[0])
        if column is None or not is_json(column):
            raise ValueError(f"{self.model.__name__} has no field {path!r}.")
        return column

    @staticmethod
    def _ordered(column: Column[Any], *, descending: bool) -> ColumnElement[Any]:
        ordered = column.desc() if descending else column.asc()
        if not column.nullable:
            return ordered
        return ordered.nulls_last() if descending else ordered.nulls_first()
