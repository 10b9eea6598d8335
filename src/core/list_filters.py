"""Filters, sort orders and pagination, independent of the store.

A filter is `field` (equal) or `field__operator`; an order is `field` or `-field`. The declarations of queries
(`src/schemas/list_params.py`) and the CRUD classes use the same names. Only in code, `or` is a list of filters, one of
which must match: `{"status": "open", "or": [{"owner_id": owner}, {"number__gt": 3, "public": True}]}`.

A field may be one of a related row, of JSON or of a subdocument: `customer.name__starts`. A relation may have filters
that one of its rows must pass together: `{"lines": {"product_id": product, "quantity__gt": 3}}`.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

# `contains` and `ieq` ignore case; `contains`, `starts` and `ends` take literal text, without wildcards. `null` takes a
# bool. `ne` and `not_in` match missing values as well.
OPERATORS = frozenset(
    {"eq", "ne", "in", "not_in", "lt", "lte", "gt", "gte", "contains", "starts", "ends", "ieq", "null"}
)
TEXT_OPERATORS = frozenset({"contains", "starts", "ends", "ieq"})
# The key of alternatives; it cannot be the name of a field.
OR = "or"

# How many relations a path of an `include` may have.
MAXIMUM_DEPTH = 3

# The limit of a capped total: 10,001 means "more than 10,000".
COUNT_CAP = 10_000

Where = Mapping[str, Any]


class Total(StrEnum):
    """How matches are counted: all of them, up to 10,001, or not at all."""

    EXACT = "exact"
    CAPPED = "capped"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class QuerySpec:
    """Filters and order of a list; `keyword` must occur in one of the `searched` fields.

    Attributes:
        include: The relations to load, such as `lines` or `lines.product`.
    """

    where: Where = field(default_factory=dict)
    order: tuple[str, ...] = ()
    keyword: str = ""
    searched: tuple[str, ...] = ()
    include: tuple[str, ...] = ()


class PageRequest(Protocol):
    """A request for one page, by number."""

    @property
    def page(self) -> int:
        """The page number, from 1."""

    @property
    def page_size(self) -> int:
        """The number of rows on a page."""

    @property
    def total(self) -> Total:
        """How to count the matches."""

    def spec(self) -> QuerySpec:
        """The filters and the order."""


class CursorRequest(Protocol):
    """A request for the rows after a cursor."""

    @property
    def cursor(self) -> str:
        """The cursor of the previous page; empty for the first page."""

    @property
    def limit(self) -> int:
        """The maximum number of rows."""

    def spec(self) -> QuerySpec:
        """The filters and the order."""


def split_filter(name: str) -> tuple[str, str]:
    """Split the name of a filter into field and operator.

    Raises:
        ValueError: The operator does not exist.
    """
    name, _, operator = name.partition("__")
    if (operator or "eq") not in OPERATORS:
        raise ValueError(f"Unknown filter operator {operator!r}.")
    return name, operator or "eq"


def combined(first: Where, second: Where) -> Where:
    """The filter for rows that match both, also if both have a filter of the same name."""
    if first.keys().isdisjoint(second):
        return {**first, **second}
    alternatives = [combined(first, alternative) for alternative in second[OR]] if OR in second else [first]
    return {**second, OR: alternatives}


@dataclass(frozen=True, slots=True)
class SortKey:
    """A field to sort by."""

    name: str
    descending: bool


def unique_order(order: Sequence[str], identity: Sequence[str] = ("id",)) -> tuple[SortKey, ...]:
    """Parse an order, and append the id: the order is total, so pages neither repeat nor skip rows.

    The id has the direction of the key before it, so that one index and one comparison of tuples cover both.

    Args:
        order: The fields.
        identity: The fields of the primary key.
    """
    keys = [SortKey(name.removeprefix("-"), name.startswith("-")) for name in order]
    descending = keys[-1].descending if keys else False
    named = {key.name for key in keys}
    return (*keys, *(SortKey(name, descending) for name in identity if name not in named))


def nested_paths(paths: Sequence[str]) -> dict[str, list[str]]:
    """Paths by their first name: `["lines", "lines.product"]` is `{"lines": ["product"]}`.

    Raises:
        ValueError: A path is deeper than `MAXIMUM_DEPTH`.
    """
    nested: dict[str, list[str]] = {}
    for path in paths:
        if path.count(".") >= MAXIMUM_DEPTH:
            raise ValueError(f"{path!r} has more than {MAXIMUM_DEPTH} relations.")
        name, _, rest = path.partition(".")
        nested.setdefault(name, []).extend([rest] if rest else [])
    return nested


def keyset_ranges(keys: Sequence[SortKey], position: Sequence[Any], nullable: Collection[str]) -> Iterator[Where]:
    """Filters that together select the rows after a position; query them in turn, nearest rows first.

    Each filter is a range scan of an index on the keys, whatever their directions; a single condition would not be.
    Missing values sort before all others. `position` has the values of the last row, one for each key.
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
