"""Digests of values for cache keys: values are equal if their types are as well."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from pydantic import BaseModel
from pydantic_core import to_json


def digest(value: Any) -> str:
    """A short digest of plain data: JSON types, times, UUIDs, decimals, bytes, enums, models, and collections of them.

    Raises:
        TypeError: The value holds anything else, such as a client or a session.
    """
    return hashlib.sha256(to_json(_typed(value))).hexdigest()[:32]


def _typed(value: Any) -> list[Any]:
    """The value as JSON, with the names of its types."""
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if isinstance(value, Enum | bytes | Decimal | UUID | date | time | timedelta | float):
        return [kind, repr(value)]
    if value is None or isinstance(value, str | int):
        return [kind, value]
    if isinstance(value, BaseModel):
        return [kind, _typed(dict(value))]
    if is_dataclass(value) and not isinstance(value, type):
        return [kind, _typed(asdict(value))]
    if isinstance(value, Mapping):
        return [kind, sorted((to_json(_typed(key)), to_json(_typed(item))) for key, item in value.items())]
    if isinstance(value, set | frozenset):
        return [kind, sorted(to_json(_typed(item)) for item in value)]
    if isinstance(value, list | tuple):
        return [kind, [_typed(item) for item in value]]
    raise TypeError(f"{kind} cannot be part of a cache key.")
