"""What must not be written down: values whose names sound like credentials."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

MASK = "***"

_SECRET_WORDS = ("password", "token", "secret", "authorization", "cookie", "private_key", "challenge")


@lru_cache(maxsize=1024)
def is_secret(name: str) -> bool:
    """Whether a value of this name is likely to be a credential."""
    return any(word in name.lower() for word in _SECRET_WORDS)


def masked(value: Any) -> Any:
    """A copy of a JSON value without its secrets, however deep they are."""
    if isinstance(value, Mapping):
        return {name: MASK if is_secret(str(name)) else masked(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked(item) for item in value]
    return value
