"""A cache of parametrised SELECT statements, keyed by the shape of the query.

Building a statement, or looking it up in SQLAlchemy's own cache, costs as much as running it. Two queries have the same
shape if they differ only in their values; NULL is part of the shape, since SQL compares it differently.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, Text, bindparam, func, literal, select
from sqlmodel.sql.expression import Select

from src.core.list_filters import OR, QuerySpec, SortKey, Where, split_filter
from src.crud.query.row_shape import RowShape
from src.crud.query.sql.clauses import TableClauses, condition_of, escape_like
from src.crud.query.sql.nested_rows import layout_of
from src.crud.query.sql.relations import Relation, expanded, loading

# Each list of an application has a few shapes.
CACHED_STATEMENTS = 1000

_PARAMETER: Any = object()
"""Replaces a value in a shape."""

Parameters = dict[str, Any]
Filters = tuple[tuple[str, Any, Any], ...]


@dataclass(frozen=True, slots=True)
class QueryShape:
    """A query without its values.

    Attributes:
        filters: Names, each with its condition, and with `_PARAMETER` or a value that is part of the shape; `or`
            with the filters of each alternative, a relation with its nested filters.
        searched: The fields to search for the keyword; empty without a keyword.
    """

    clauses: TableClauses
    filters: Filters
    searched: tuple[str, ...]
    has_limit: bool
    has_offset: bool


def select_rows(
    clauses: TableClauses,
    fields: RowShape | None,
    spec: QuerySpec,
    keys: Sequence[SortKey],
    limit: int | None,
    offset: int,
) -> tuple[Select[*tuple[Any, ...]], Parameters]:
    """A SELECT of rows, as model instances or as the columns of a row's shape, and the parameters to execute it with.

    Raises:
        InvalidInputError: A filter's value is no value of its field.
    """
    parameters = _parameters(clauses, spec, limit, offset)
    include = spec.include if fields is None else ()
    return _select_rows(_shape(clauses, spec, limit, offset), fields, include, tuple(keys)), parameters


def select_count(
    clauses: TableClauses, spec: QuerySpec, cap: int | None
) -> tuple[Select[*tuple[Any, ...]], Parameters]:
    """A SELECT of the number of rows, counted up to `cap`, and the parameters to execute it with; see `select_rows`."""
    parameters = _parameters(clauses, spec, cap, 0)
    return _select_count(_shape(clauses, spec, cap, 0)), parameters


def _parameters(clauses: TableClauses, spec: QuerySpec, limit: int | None, offset: int) -> Parameters:
    values = dict(_values(clauses, spec.where, "where"))
    return {**values, "keyword": escape_like(spec.keyword), "limit": limit, "offset": offset}


def _shape(clauses: TableClauses, spec: QuerySpec, limit: int | None, offset: int) -> QueryShape:
    return QueryShape(
        clauses=clauses,
        filters=_filters(clauses, spec.where),
        searched=spec.searched if spec.keyword else (),
        has_limit=limit is not None,
        has_offset=offset > 0,
    )


def _filters(clauses: TableClauses, where: Where) -> Filters:
    return tuple(_filter(clauses, name, value) for name, value in expanded(clauses.model, where))


def _filter(clauses: TableClauses, name: str, value: Any) -> tuple[str, Any, Any]:
    if name == OR:
        return name, OR, tuple(_filters(clauses, alternative) for alternative in value)
    if relation := clauses.relation(name, value):
        return name, relation, _filters(TableClauses(relation.model), value)
    return name, condition_of(name, value), _without_value(name, value)


def _without_value(name: str, value: Any) -> Any:
    return value if value is None or split_filter(name)[1] == "null" else _PARAMETER


def _values(clauses: TableClauses, where: Where, prefix: str) -> Iterator[tuple[str, Any]]:
    """The parameters of filters, numbered, those of alternatives and nested filters within them."""
    for number, (name, value) in enumerate(expanded(clauses.model, where)):
        key = f"{prefix}_{number}"
        if name == OR:
            for alternative, filters in enumerate(value):
                yield from _values(clauses, filters, f"{key}_{alternative}")
        elif relation := clauses.relation(name, value):
            yield from _values(TableClauses(relation.model), value, key)
        elif value is not None:
            yield key, clauses.encode(name, value)


@lru_cache(maxsize=CACHED_STATEMENTS)
def _select_rows(
    shape: QueryShape, fields: RowShape | None, include: tuple[str, ...], keys: tuple[SortKey, ...]
) -> Select[*tuple[Any, ...]]:
    clauses = shape.clauses
    if fields is None:
        statement: Select[*tuple[Any, ...]] = Select(clauses.model).options(*loading(clauses.model, include))
    else:
        layout = layout_of(clauses.model, fields)
        statement = Select(*layout.columns).select_from(layout.source)
    statement = statement.where(*_conditions(shape)).order_by(*clauses.order(keys))
    if shape.has_limit:
        statement = statement.limit(bindparam("limit"))
    return statement.offset(bindparam("offset")) if shape.has_offset else statement


@lru_cache(maxsize=CACHED_STATEMENTS)
def _select_count(shape: QueryShape) -> Select[*tuple[Any, ...]]:
    matching = select(literal(1)).select_from(shape.clauses.model.__table__).where(*_conditions(shape))
    if shape.has_limit:
        matching = matching.limit(bindparam("limit"))
    return Select(func.count()).select_from(matching.subquery())


def _conditions(shape: QueryShape) -> list[ColumnElement[bool]]:
    conditions = _filter_conditions(shape.clauses, shape.filters, "where")
    if shape.searched:
        conditions.append(shape.clauses.search(shape.searched, bindparam("keyword", type_=Text())))
    return [*conditions, *shape.clauses.not_deleted()]


def _filter_conditions(clauses: TableClauses, filters: Filters, prefix: str) -> list[ColumnElement[bool]]:
    conditions = []
    for number, (name, condition, value) in enumerate(filters):
        key = f"{prefix}_{number}"
        if name == OR:
            alternatives = [_filter_conditions(clauses, nested, f"{key}_{n}") for n, nested in enumerate(value)]
            conditions.append(clauses.any_of(alternatives))
        elif isinstance(condition, Relation):
            conditions.append(condition.exists(_filter_conditions(TableClauses(condition.model), value, key)))
        else:
            compared = _parameter(clauses, name, key) if value is _PARAMETER else value
            conditions.append(clauses.filter(name, condition, compared))
    return conditions


def _parameter(clauses: TableClauses, name: str, key: str) -> BindParameter[Any]:
    field, operator = split_filter(name)
    is_list = operator in ("in", "not_in") and "." not in field
    return bindparam(key, type_=clauses.value_type(name), expanding=is_list)
