"""Task metadata (name, docstring, signature), used to list tasks and validate arguments before sending."""

import inspect
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from pydantic import PydanticSchemaGenerationError, TypeAdapter, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic_core import PydanticSerializationError, to_jsonable_python

# Run every few seconds: their runs are neither recorded (`tracked=False`) nor traced, and logged if they fail only.
HOUSEKEEPING = frozenset({"outbox.relay", "tasks.record"})

EMPTY = inspect.Parameter.empty
VARIADIC = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD


class TaskParameter(NamedTuple):
    """A parameter of a task; `type` is its annotation as text, empty without one.

    Its JSON schema contains the default, and is empty if any JSON is accepted.
    """

    name: str
    type: str
    required: bool
    json_schema: dict[str, Any]


@dataclass(frozen=True)
class TaskInfo:
    """A registered task.

    Attributes:
        description: The first line of its docstring.
        signature: The parameters that callers pass, without `self` and injected ones.
        requires: The permission code that users need to start it; None for internal tasks, which no user can start.
    """

    name: str
    description: str
    signature: inspect.Signature
    requires: str | None = None

    @cached_property
    def parameters(self) -> list[TaskParameter]:
        """The parameters that callers pass, in order."""
        return [
            _describe(parameter, self._adapters.get(parameter.name)) for parameter in self.signature.parameters.values()
        ]

    def check_call(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, str]:
        """Validate arguments that come as JSON; returns error messages by field (`args.0`, `kwargs.x`)."""
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as error:
            return {"kwargs" if kwargs and not args else "args": str(error)}
        positions = {name: f"args.{index}" for index, name in zip(range(len(args)), bound.arguments, strict=False)}
        errors = {}
        for name, value in bound.arguments.items():
            if adapter := self._adapters.get(name):
                try:
                    adapter.validate_python(value)
                except ValidationError as error:
                    errors[positions.get(name, f"kwargs.{name}")] = error.errors()[0]["msg"]
        return errors

    @cached_property
    def _adapters(self) -> dict[str, TypeAdapter[Any]]:
        adapters = {}
        for parameter in self.signature.parameters.values():
            if parameter.kind not in VARIADIC and parameter.annotation is not EMPTY:
                with suppress(PydanticSchemaGenerationError):  # any other class: there is nothing to validate
                    adapters[parameter.name] = TypeAdapter(parameter.annotation)
        return adapters


def _describe(parameter: inspect.Parameter, adapter: TypeAdapter[Any] | None) -> TaskParameter:
    annotation = "" if parameter.annotation is EMPTY else inspect.formatannotation(parameter.annotation)
    variadic = parameter.kind in VARIADIC
    name = str(parameter.replace(annotation=EMPTY)) if variadic else parameter.name
    return TaskParameter(
        name, annotation, parameter.default is EMPTY and not variadic, _json_schema(adapter, parameter.default)
    )


def _json_schema(adapter: TypeAdapter[Any] | None, default: Any) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    if adapter is not None:
        with suppress(PydanticInvalidForJsonSchema):
            schema = adapter.json_schema()
    if default is not EMPTY:
        with suppress(PydanticSerializationError):
            schema["default"] = to_jsonable_python(default)
    return schema
