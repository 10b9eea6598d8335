"""Counts, sums, minima, maxima and averages of the rows of a table or collection, by groups."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, func, select

from src.core.list_filters import SortKey, Where
from src.crud.query.filter_values import item_type
from src.crud.query.sql_clauses import TableClauses

_FUNCTIONS = ("sum", "min", "max", "avg")
Groups = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """`count`, or the sum, minimum, maximum or average of a field, such as `total__sum`."""

    name: str
    field: str
    function: str
    type: Any

    def value(self, stored: Any) -> Any:
        """The value, the same from every store: integers have an integer sum, and nothing has the sum 0."""
        if self.function == "count" or (self.function == "sum" and stored is None):
            return int(stored or 0) if self.type is not Decimal else Decimal(0)
        if stored is None or self.function in ("min", "max"):
            return stored
        if self.type is Decimal:
            return stored if isinstance(stored, Decimal) else Decimal(stored)
        return int(stored) if self.type is int and self.function == "sum" else float(stored)


def aggregates(model: Any, names: Sequence[str]) -> list[Aggregate]:
    """Parse the names of aggregates.

    Raises:
        ValueError: A field or a function does not exist.
    """
    return [_aggregate(model, name) for name in names]


def _aggregate(model: Any, name: str) -> Aggregate:
    if name == "count":
        return Aggregate(name, "", "count", int)
    field, _, function = name.rpartition("__")
    if function not in _FUNCTIONS or field not in model.model_fields:
        raise ValueError(
            f"{model.__name__} has no aggregate {name!r}: it is a field and one of {', '.join(_FUNCTIONS)}."
        )
    return Aggregate(name, field, function, item_type(model.model_fields[field].annotation))


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


def aggregate_pipeline(
    wanted: Sequence[tuple[Aggregate, str]], by: Sequence[tuple[str, str]], keys: Sequence[SortKey], limit: int | None
) -> list[dict[str, Any]]:
    """The stages that aggregate documents, after the filter; names come with the paths of their fields."""
    computed = {
        f"value_{number}": {"$sum": 1} if one.function == "count" else {f"${one.function}": f"${path}"}
        for number, (one, path) in enumerate(wanted)
    }
    names = {name: f"_id.group_{number}" for number, (name, _) in enumerate(by)}
    names |= {one.name: f"value_{number}" for number, (one, _) in enumerate(wanted)}
    group = {f"group_{number}": f"${path}" for number, (_, path) in enumerate(by)}
    stages: list[dict[str, Any]] = [{"$group": {"_id": group or None, **computed}}]
    if keys:
        stages.append({"$sort": {names[key.name]: -1 if key.descending else 1 for key in keys}})
    return [*stages, {"$limit": limit}] if limit is not None else stages
