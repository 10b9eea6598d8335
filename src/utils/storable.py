from typing import Any

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


def storable(value: Any) -> Any:
    """A JSON value with the characters replaced that a database cannot hold: NUL, and halves of surrogate pairs."""
    match value:
        case str():
            text = value.replace("\0", REPLACEMENT)
            return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
        case dict():
            return {storable(name): storable(item) for name, item in value.items()}
        case list() | tuple():
            return [storable(item) for item in value]
    return value
