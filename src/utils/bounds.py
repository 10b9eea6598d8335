"""Bounds of parsed JSON from clients, checked before validation, and of the errors that they are told.

The cost of validation grows with the number of values, not of bytes.
"""

from collections.abc import Iterable
from typing import Any

MAX_KEYS = 500
MAX_VALUES = 10_000
MAX_DEPTH = 64
_TOO_MANY_VALUES = f"There are at most {MAX_VALUES} keys and list items in all"

# Keys of the client's JSON are part of the fields, and of some messages: an error takes at most 1,300 bytes of JSON.
MAX_ERRORS = 50
MAX_FIELD_LENGTH = 100
MAX_MESSAGE_LENGTH = 200


class OutOfBoundsError(ValueError):
    """The JSON has more keys, values or levels than any declared type needs; the message says which."""


def check_strings(text: bytes) -> None:
    """Check JSON before it is parsed, which takes 10 ms for a megabyte of keys: a value has two strings, with its key.

    Raises:
        OutOfBoundsError: There are too many.
    """
    # Some quotes that end a string count as escaped, after a backslash that is: then more pass, never fewer.
    if text.count(b'"') - text.count(b'\\"') > 2 * (2 * MAX_VALUES + 1):
        raise OutOfBoundsError(_TOO_MANY_VALUES)


def check_bounds(values: Iterable[Any]) -> None:
    """Check parsed JSON values: the keys of each object, the keys and list items in all, and the nesting.

    Raises:
        OutOfBoundsError: There are too many.
    """
    level, total = list(values), 0
    for _ in range(MAX_DEPTH + 1):
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                if len(value) > MAX_KEYS:
                    raise OutOfBoundsError(f"An object has at most {MAX_KEYS} keys")
                below += value.values()
            elif isinstance(value, list):
                below += value
            if total + len(below) > MAX_VALUES:
                raise OutOfBoundsError(_TOO_MANY_VALUES)
        if not below:
            return
        total += len(below)
        level = below
    raise OutOfBoundsError(f"Objects and lists are nested at most {MAX_DEPTH} levels deep")
