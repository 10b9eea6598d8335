"""SELECT statements with aggregates of the rows of one table."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, select

from src.core.list_filters import SortKey, Where
from src.crud.query.aggregates import Aggregate
from src.crud.query.sql.clauses import TableClauses


def aggregate_statement(
    clauses: TableClauses,
    wanted: Sequence[Aggregate],
    by: Sequence[str],
    where: Where,
    keys: Sequence[SortKey],
    limit: int | None,
) -> Any:
    """SELECT … GROUP BY of a table."""
    groups: dict[str, ColumnElement[Any]] = {name: clauses.column(name) for name in by}
    computed = {one.name: _expression(clauses, one) for one in wanted}
    order = [_ordered((groups | computed)[key.name], key) for key in keys]
    statement = select(*groups.values(), *computed.values()).select_from(clauses.model.__table__)
    return statement.where(*clauses.matches(where)).group_by(*groups.values()).order_by(*order).limit(limit)


def _expression(clauses: TableClauses, one: Aggregate) -> ColumnElement[Any]:
    return func.count() if one.function == "count" else getattr(func, one.function)(clauses.column(one.field))


def _ordered(expression: ColumnElement[Any], key: SortKey) -> ColumnElement[Any]:
    return expression.desc().nulls_last() if key.descending else expression.asc().nulls_first()
