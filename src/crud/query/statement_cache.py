"""A cache of parametrised SELECT statements, keyed by the shape of the query.

Building a statement, or looking it up in SQLAlchemy's own cache, costs as much as running it. Two queries have the same
shape if they differ only in their values; NULL is part of the shape, since SQL compares it differently.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, bindparam, func, literal, select
from sqlmodel.sql.expression import Select

from src.core.list_filters import OR, QuerySpec, SortKey, Where, split_filter
from src.crud.query.sql_clauses import TableClauses, condition_of, escape_like

# Each list of an application has a few shapes.
CACHED_STATEMENTS = 1000

_PARAMETER: Any = object()
"""Replaces a value in a shape."""

Parameters = dict[str, Any]
Fields = tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class QueryShape:
    """A query without its values.

    Attributes:
        filters: Names, each with its condition, and with `_PARAMETER` or a value that is part of the shape; `or`
            with the filters of each alternative.
        searched: The fields to search for the keyword; empty without a keyword.
    """

    model: Any
    filters: tuple[tuple[str, Any, Any], ...]
    searched: tuple[str, ...]
    has_limit: bool
    has_offset: bool


def select_rows(
    model: Any, fields: Fields, spec: QuerySpec, keys: Sequence[SortKey], limit: int | None, offset: int
) -> tuple[Select[*tuple[Any, ...]], Parameters]:
    """A SELECT of rows, as model instances or as the values of `fields`, and the parameters to execute it with.

    Raises:
        InvalidInputError: A filter's value is no value of its field.
    """
    parameters = _parameters(model, spec, limit, offset)
    return _select_rows(_shape(model, spec, limit, offset), fields, tuple(keys)), parameters


def select_count(model: Any, spec: QuerySpec, cap: int | None) -> tuple[Select[*tuple[Any, ...]], Parameters]:
    """A SELECT of the number of rows, counted up to `cap`, and the parameters to execute it with; see `select_rows`."""
    parameters = _parameters(model, spec, cap, 0)
    return _select_count(_shape(model, spec, cap, 0)), parameters


def _parameters(model: Any, spec: QuerySpec, limit: int | None, offset: int) -> Parameters:
    values = dict(_values(TableClauses(model), spec.where, "where"))
    return {**values, "keyword": escape_like(spec.keyword), "limit": limit, "offset": offset}


def _shape(model: Any, spec: QuerySpec, limit: int | None, offset: int) -> QueryShape:
    return QueryShape(
        model=model,
        filters=_filters(spec.where),
        searched=spec.searched if spec.keyword else (),
        has_limit=limit is not None,
        has_offset=offset > 0,
    )


def _filters(where: Where) -> tuple[tuple[str, Any, Any], ...]:
    return tuple(
        (name, OR, tuple(map(_filters, value)))
        if name == OR
        else (name, condition_of(name, value), _without_value(name, value))
        for name, value in where.items()
    )


def _without_value(name: str, value: Any) -> Any:
    return value if value is None or split_filter(name)[1] == "null" else _PARAMETER


def _values(clauses: TableClauses, where: Where, prefix: str) -> Iterator[tuple[str, Any]]:
    """The parameters of filters; those of alternatives have the alternative's number in their names."""
    for name, value in where.items():
        if name == OR:
            for number, alternative in enumerate(value):
                yield from _values(clauses, alternative, f"{prefix}_{number}")
        elif value is not None:
            yield f"{prefix}_{name}", clauses.encode(name, value)


@lru_cache(maxsize=CACHED_STATEMENTS)
def _select_rows(shape: QueryShape, fields: Fields, keys: tuple[SortKey, ...]) -> Select[*tuple[Any, ...]]:
    clauses = TableClauses(shape.model)
    columns: list[Any] = [shape.model] if fields is None else [clauses.column(name) for name in fields]
    statement: Select[*tuple[Any, ...]] = Select(*columns).where(*_conditions(shape)).order_by(*clauses.order(keys))
    if shape.has_limit:
        statement = statement.limit(bindparam("limit"))
    return statement.offset(bindparam("offset")) if shape.has_offset else statement


@lru_cache(maxsize=CACHED_STATEMENTS)
def _select_count(shape: QueryShape) -> Select[*tuple[Any, ...]]:
    matching = select(literal(1)).select_from(shape.model.__table__).where(*_conditions(shape))
    if shape.has_limit:
        matching = matching.limit(bindparam("limit"))
    return Select(func.count()).select_from(matching.subquery())


def _conditions(shape: QueryShape) -> list[ColumnElement[bool]]:
    clauses = TableClauses(shape.model)
    conditions = _filter_conditions(clauses, shape.filters, "where")
    if shape.searched:
        keyword = bindparam("keyword", type_=clauses.column(shape.searched[0]).type)
        conditions.append(clauses.search(shape.searched, keyword))
    return [*conditions, *clauses.not_deleted()]


def _filter_conditions(
    clauses: TableClauses, filters: tuple[tuple[str, Any, Any], ...], prefix: str
) -> list[ColumnElement[bool]]:
    conditions = []
    for name, condition, value in filters:
        if name == OR:
            numbered = enumerate(value)
            conditions.append(
                clauses.any_of([_filter_conditions(clauses, filters, f"{prefix}_{n}") for n, filters in numbered])
            )
        else:
            compared = _parameter(clauses, name, prefix) if value is _PARAMETER else value
            conditions.append(clauses.filter(name, condition, compared))
    return conditions


def _parameter(clauses: TableClauses, name: str, prefix: str) -> BindParameter[Any]:
    field, operator = split_filter(name)
    return bindparam(f"{prefix}_{name}", type_=clauses.column(field).type, expanding=operator in ("in", "not_in"))
