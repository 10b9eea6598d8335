"""Counts, sums, minima, maxima and averages of the rows of a table or collection, by groups."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from src.crud.query.filter_values import item_type

_FUNCTIONS = ("sum", "min", "max", "avg")


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
