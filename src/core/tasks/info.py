"""What is known of a task without its code: enough to list it, and to check a call before it is sent."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from pydantic import TypeAdapter, ValidationError

EMPTY = inspect.Parameter.empty
VARIADIC = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD


class TaskParameter(NamedTuple):
    """What a task takes; `type` as its function says it, empty when it says nothing."""

    name: str
    type: str
    required: bool


@dataclass(frozen=True)
class TaskInfo:
    """A registered task.

    Attributes:
        signature: What callers pass: without the task itself, and without what is injected.
    """

    name: str
    description: str
    signature: inspect.Signature

    @property
    def parameters(self) -> list[TaskParameter]:
        """What callers pass, in order."""
        return [_describe(parameter) for parameter in self.signature.parameters.values()]

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
        return {
            parameter.name: TypeAdapter(parameter.annotation)
            for parameter in self.signature.parameters.values()
            if parameter.kind not in VARIADIC and parameter.annotation is not EMPTY
        }


def _describe(parameter: inspect.Parameter) -> TaskParameter:
    annotation = "" if parameter.annotation is EMPTY else inspect.formatannotation(parameter.annotation)
    variadic = parameter.kind in VARIADIC
    name = str(parameter.replace(annotation=EMPTY)) if variadic else parameter.name
    return TaskParameter(name, annotation, parameter.default is EMPTY and not variadic)
