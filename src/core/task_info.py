"""What is known of a task without its code: enough to list it, and to check a call before it is sent."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import TypeAdapter, ValidationError


@dataclass(frozen=True)
class TaskInfo:
    """A registered task.

    Attributes:
        signature: What callers pass: without the task itself, and without what is injected.
    """

    name: str
    description: str
    signature: inspect.Signature

    def check_call(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, str]:
        """What is wrong with arguments that come as JSON: a message by field, `args.0` or `kwargs.x`."""
        try:
            bound = self.signature.bind(*args, **kwargs)
        except TypeError as error:
            return {"kwargs" if kwargs and not args else "args": str(error)}
        positions = {name: f"args.{index}" for index, name in zip(range(len(args)), bound.arguments, strict=False)}
        faults = {}
        for name, value in bound.arguments.items():
            if adapter := self._adapters.get(name):
                try:
                    adapter.validate_python(value)
                except ValidationError as error:
                    faults[positions.get(name, f"kwargs.{name}")] = error.errors()[0]["msg"]
        return faults

    @cached_property
    def _adapters(self) -> dict[str, TypeAdapter[Any]]:
        variadic = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
        return {
            parameter.name: TypeAdapter(parameter.annotation)
            for parameter in self.signature.parameters.values()
            if parameter.kind not in variadic and parameter.annotation is not inspect.Parameter.empty
        }
