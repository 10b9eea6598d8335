"""Statements that are built once for each kind of request, with places for its values.

To build one, and to find out that it is known, costs as much as to run it. Requests are of one kind when they differ
in values alone; a missing value is part of the kind, for SQL has other words for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, bindparam, func, literal, select
from sqlmodel.sql.expression import Select

from src.core.query import QuerySpec, SortKey, split_filter
from src.crud.query.sql_query import SQLQuery, encoded, escaped

# How many are kept: each list has a few.
PLANS = 1000

_PLACE: Any = object()
"""Stands in a kind for a value."""

Values = dict[str, Any]
Fields = tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Kind:
    """What a selection is made of, without its values."""

    model: Any
    filters: tuple[tuple[str, Any], ...]
    searched: tuple[str, ...]
    limited: bool
    moved: bool


def rows(
    model: Any, fields: Fields, selection: QuerySpec, keys: Sequence[SortKey], limit: int | None, offset: int
) -> tuple[Select[*tuple[Any, ...]], Values]:
    """Some rows, as objects or as the values of some fields; with what to execute it with."""
    return _rows(_kind(model, selection, limit, offset), fields, tuple(keys)), _values(selection, limit, offset)


def count(model: Any, selection: QuerySpec, cap: int | None) -> tuple[Select[*tuple[Any, ...]], Values]:
    """How many rows there are, up to a cap; with what to execute it with."""
    return _count(_kind(model, selection, cap, 0)), _values(selection, cap, 0)


def _values(selection: QuerySpec, limit: int | None, offset: int) -> Values:
    given = {f"where_{name}": encoded(name, value) for name, value in selection.where.items() if value is not None}
    return {**given, "keyword": escaped(selection.keyword), "limit": limit, "offset": offset}


def _kind(model: Any, selection: QuerySpec, limit: int | None, offset: int) -> Kind:
    return Kind(
        model=model,
        filters=tuple((name, _without_value(name, value)) for name, value in selection.where.items()),
        searched=selection.searched if selection.keyword else (),
        limited=limit is not None,
        moved=offset > 0,
    )


def _without_value(name: str, value: Any) -> Any:
    return value if value is None or split_filter(name)[1] == "null" else _PLACE


@lru_cache(maxsize=PLANS)
def _rows(kind: Kind, fields: Fields, keys: tuple[SortKey, ...]) -> Select[*tuple[Any, ...]]:
    query = SQLQuery(kind.model.__table__)
    wanted: list[Any] = [kind.model] if fields is None else [query.column(name) for name in fields]
    statement: Select[*tuple[Any, ...]] = Select(*wanted).where(*_conditions(kind)).order_by(*query.order(keys))
    if kind.limited:
        statement = statement.limit(bindparam("limit"))
    return statement.offset(bindparam("offset")) if kind.moved else statement


@lru_cache(maxsize=PLANS)
def _count(kind: Kind) -> Select[*tuple[Any, ...]]:
    matching = select(literal(1)).select_from(kind.model.__table__).where(*_conditions(kind))
    if kind.limited:
        matching = matching.limit(bindparam("limit"))
    return Select(func.count()).select_from(matching.subquery())


def _conditions(kind: Kind) -> list[ColumnElement[bool]]:
    query = SQLQuery(kind.model.__table__)
    conditions = [query.filter(name, _place(query, name) if value is _PLACE else value) for name, value in kind.filters]
    if kind.searched:
        conditions.append(query.search(kind.searched, bindparam("keyword", type_=query.column(kind.searched[0]).type)))
    return [*conditions, *query.visible()]


def _place(query: SQLQuery, name: str) -> BindParameter[Any]:
    field, operator = split_filter(name)
    return bindparam(f"where_{name}", type_=query.column(field).type, expanding=operator in ("in", "not_in"))
