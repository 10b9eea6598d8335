"""Turn what handlers return and emit into what a Socket.IO packet can carry."""

from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python


def to_wire(value: Any) -> Any:
    """Convert models, dates, UUIDs and the like to JSON values, at any depth, by their aliases.

    Bytes outside of models stay bytes, which Socket.IO sends as binary attachments; a tuple at the top stays a tuple,
    which it sends as several arguments.

    Raises:
        PydanticSerializationError: Something in it has no JSON form.
    """
    return tuple(_convert(item) for item in value) if isinstance(value, tuple) else _convert(value)


def _convert(value: Any) -> Any:
    if value is None or isinstance(value, (str, int, float, bool, bytes, bytearray)):
        return value
    if isinstance(value, dict):
        return {key if isinstance(key, str) else to_jsonable_python(key): _convert(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_convert(item) for item in value]
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    return to_jsonable_python(value, by_alias=True)
