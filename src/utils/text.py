"""Text that every store accepts: none accepts NUL, and UTF-8 has no lone surrogates."""

from typing import Any

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def is_storable(text: str) -> bool:
    """Whether every store accepts the text."""
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


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
