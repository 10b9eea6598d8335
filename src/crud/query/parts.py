"""Many rows or keys in parts, each of which fits into one statement."""

from collections.abc import Iterator, Sequence
from typing import Any

from src.core.list_filters import OR, Where

# PostgreSQL accepts 32,767 parameters in a statement.
MAXIMUM_PARAMETERS = 32_000


def in_statements(rows: Sequence[Any], columns: int) -> list[Sequence[Any]]:
    """Rows of so many columns in parts."""
    size = MAXIMUM_PARAMETERS // max(columns, 1)
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def with_keys(keys: Sequence[tuple[Any, ...]], by: Sequence[str]) -> Iterator[Where]:
    """Filters that together find the rows with these values in the fields `by`."""
    for part in in_statements(keys, len(by)):
        if len(by) == 1:
            yield {f"{by[0]}__in": [key[0] for key in part]}
        else:
            yield {OR: [dict(zip(by, key, strict=True)) for key in part]}
