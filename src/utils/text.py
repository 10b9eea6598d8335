"""Text that every store accepts (none accepts NUL, and UTF-8 has no lone surrogates), and that is safe to show."""

import re
from collections.abc import Iterable
from typing import Any

UNSTORABLE = "must not contain NUL or lone surrogates"

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
# What moves a terminal's cursor, changes its colors or the direction of its text, or begins a line.
_CONTROL = re.compile("[\0-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_SURROGATE = re.compile("[\ud800-\udfff]")


def is_storable(text: str) -> bool:
    """Whether every store accepts the text."""
    return "\0" not in text and (text.isascii() or _SURROGATE.search(text) is None)


def find_unstorable(value: Any) -> tuple[str | int, ...] | None:
    """The path to the first text in a JSON value, names included, that a store refuses; None if there is none."""
    if isinstance(value, str):
        return None if is_storable(value) else ()
    items: Iterable[tuple[str | int, Any]]
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    else:
        return None
    for name, item in items:
        if isinstance(name, str) and not is_storable(name):
            return (name,)
        if (path := find_unstorable(item)) is not None:
            return (name, *path)
    return None


def printable(text: str, length: int) -> str:
    """The text for a response, shortened: without control characters and lone surrogates."""
    short = text if len(text) <= length else f"{text[: length - 1]}…"
    return "".join("?" if char < " " else char for char in short).encode(errors="replace").decode()


def escape_controls(text: str, keep: str = "") -> str:
    """The text for a terminal: characters that would control it are escaped as in JSON, but those to keep."""
    return _CONTROL.sub(lambda found: found[0] if found[0] in keep else f"\\u{ord(found[0]):04x}", text)


def to_storable(value: Any) -> Any:
    """A copy of a JSON value whose unstorable characters are replaced."""
    match value:
        case str():
            text = value.replace("\0", _REPLACEMENT)
            return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
        case dict():
            return {to_storable(name): to_storable(item) for name, item in value.items()}
        case list() | tuple():
            return [to_storable(item) for item in value]
    return value
