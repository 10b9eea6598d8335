"""What a caller wants to see of a resource, in words that every store understands.

A filter is `field` (equal) or `field__operator`, an order is `field` or `-field`; the same names serve the declaration
of a resource's query (`src/schemas/query.py`) and the verbs of the CRUD classes.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

# `contains` ignores case; `contains` and `starts` take their text as it stands. `null` takes a bool.
# `ne` and `not_in` hold for a missing value as well.
OPERATORS = frozenset({"eq", "ne", "in", "not_in", "lt", "lte", "gt", "gte", "contains", "starts", "null"})

# Where a capped total stops: a reader who is told 10,001 knows "more than 10,000".
COUNT_CAP = 10_000

Where = Mapping[str, Any]


class Total(StrEnum):
    """Whether matches are counted: all, up to 10,001, or not at all."""

    EXACT = "exact"
    CAPPED = "capped"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class QuerySpec:
    """Which rows, in which order; `keyword` has to be in one of the `searched` fields."""

    where: Where = field(default_factory=dict)
    order: tuple[str, ...] = ()
    keyword: str = ""
    searched: tuple[str, ...] = ()


class PageRequest(Protocol):
    """One page, by its number."""

    @property
    def page(self) -> int:
        """From 1."""

    @property
    def page_size(self) -> int:
        """How many rows."""

    @property
    def total(self) -> Total:
        """Whether to count."""

    def spec(self) -> QuerySpec:
        """Which rows."""


class CursorRequest(Protocol):
    """Some rows after a position."""

    @property
    def cursor(self) -> str:
        """What the part before handed on; empty for the first."""

    @property
    def limit(self) -> int:
        """How many rows."""

    def spec(self) -> QuerySpec:
        """Which rows."""


def split_filter(name: str) -> tuple[str, str]:
    """The field and the operator of a filter.

    Raises:
        ValueError: There is no such operator.
    """
    name, _, operator = name.partition("__")
    if (operator or "eq") not in OPERATORS:
        raise ValueError(f"There is no filter operator {operator!r}.")
    return name, operator or "eq"


@dataclass(frozen=True, slots=True)
class SortKey:
    """One field of an order."""

    name: str
    descending: bool


def unique_order(order: Sequence[str]) -> tuple[SortKey, ...]:
    """The keys of an order, with the id at its end: no two rows are equal, so pages neither repeat nor skip one.

    The id follows the direction of the key before it, which lets one index, and one comparison of tuples, serve both.
    """
    keys = [SortKey(name.removeprefix("-"), name.startswith("-")) for name in order]
    if all(key.name != "id" for key in keys):
        keys.append(SortKey("id", keys[-1].descending if keys else False))
    return tuple(keys)


def keyset_ranges(keys: Sequence[SortKey], position: Sequence[Any], nullable: Collection[str]) -> Iterator[Where]:
    """Filters that select, one after the other, the rows after a position: the nearest stretch first.

    Each is a range of one index on the keys, in whatever directions they run, which no single condition would be.
    Missing values come before all others.

    Args:
        keys: The order.
        position: The values of a row, by key.
        nullable: The fields that may lack a value.
    """
    for length in range(len(keys) - 1, -1, -1):
        same = {key.name: value for key, value in zip(keys[:length], position[:length], strict=True)}
        name, descending, value = keys[length].name, keys[length].descending, position[length]
        if value is not None:
            yield {**same, f"{name}__lt" if descending else f"{name}__gt": value}
            if descending and name in nullable:
                yield {**same, f"{name}__null": True}
        elif not descending:
            yield {**same, f"{name}__null": False}
