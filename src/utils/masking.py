"""Masks values that must not be stored or logged, by their names."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

MASK = "***"

_SECRET_WORDS = ("password", "token", "secret", "authorization", "cookie", "private_key", "challenge")


@lru_cache(maxsize=1024)
def is_secret(name: str) -> bool:
    """Whether a value with this name is likely to be a credential."""
    return any(word in name.lower() for word in _SECRET_WORDS)


def masked(value: Any) -> Any:
    """A copy of a JSON value with its secrets masked, at any depth."""
    if isinstance(value, Mapping):
        return {name: MASK if is_secret(str(name)) else masked(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked(item) for item in value]
    return value
