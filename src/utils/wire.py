"""Converts results and payloads of events to values that a Socket.IO packet can carry."""

import json
import math
from dataclasses import is_dataclass
from functools import lru_cache
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic_core import to_jsonable_python


def to_wire(value: Any) -> Any:
    """Convert models, dates, UUIDs and the like to JSON values, at any depth and by alias.

    Bytes stay bytes, except those of a model with `ser_json_bytes`: Socket.IO sends them as binary attachments. A tuple
    at the top stays a tuple: Socket.IO sends it as several arguments.

    Raises:
        PydanticSerializationError: A value has no JSON form.
    """
    return tuple(_convert(item) for item in value) if isinstance(value, tuple) else _convert(value)


class WireType:
    """Validates values of a declared type, and converts them like `to_wire`: only what the type declares is sent.

    Raises:
        PydanticSchemaGenerationError: pydantic has no schema for the type.
    """

    def __init__(self, type_: Any) -> None:
        adapter: TypeAdapter[Any] = TypeAdapter(type_)
        self._validator, self._serializer = adapter.validator, adapter.serializer
        self._mode = "python" if _has_bytes(adapter.core_schema) else "json"

    def validate(self, value: Any) -> Any:
        """Convert a value to the declared type; instances of its models stay as they are.

        Raises:
            ValidationError: It has another type.
        """
        return self._validator.validate_python(value, from_attributes=True)

    def convert(self, value: Any) -> Any:
        """Validate and convert a value.

        Raises:
            ValidationError: It has another type.
            PydanticSerializationError: It has no JSON form.
        """
        valid = self.validate(value)
        wire = self._serializer.to_python(valid, mode=self._mode, by_alias=True)
        if self._mode == "python":
            wire = to_wire(wire)
        return tuple(wire) if isinstance(valid, tuple) else wire


def _has_bytes(schema: Any, *, in_model: bool = False) -> bool:
    """Whether values may contain bytes: in JSON mode pydantic would decode them as text."""
    if isinstance(schema, (list, tuple)):
        return any(_has_bytes(item, in_model=in_model) for item in schema)
    if not isinstance(schema, dict):
        return False
    kind = schema.get("type")
    if kind in ("model", "dataclass"):
        in_model = True
        if schema.get("config", {}).get("ser_json_bytes", "utf8") != "utf8":
            return False
    is_raw = kind == "bytes" or (kind == "any" and not in_model)
    return is_raw or any(_has_bytes(item, in_model=in_model) for item in schema.values())


@lru_cache(maxsize=1024)
def _with_bytes(type_: type[Any]) -> TypeAdapter[Any] | None:
    """The adapter of a model or dataclass that has bytes."""
    adapter: TypeAdapter[Any] = TypeAdapter(type_)
    return adapter if _has_bytes(adapter.core_schema) else None


# `json.dumps` would make an encoder for each value.
_encoder = json.JSONEncoder(allow_nan=False, separators=(",", ":"))


def dumps(value: Any) -> str:
    """Encode as compact JSON, with null for NaN and infinities, which JSON does not have."""
    try:
        return _encoder.encode(value)
    except ValueError:
        return _encoder.encode(_replace_non_finite(value))


def _replace_non_finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key) if isinstance(key, float) else key: _replace_non_finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_replace_non_finite(item) for item in value]
    return value


def _convert(value: Any) -> Any:
    if value is None or isinstance(value, (str, int, float, bool, bytes, bytearray)):
        return value
    if isinstance(value, dict):
        return {key if isinstance(key, str) else to_jsonable_python(key): _convert(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_convert(item) for item in value]
    type_: Any = type(value)
    is_model = issubclass(type_, BaseModel)
    if (is_model or is_dataclass(type_)) and (adapter := _with_bytes(type_)):
        return _convert(adapter.dump_python(value, by_alias=True))
    if is_model:
        return value.model_dump(mode="json", by_alias=True)
    return to_jsonable_python(value, by_alias=True)
