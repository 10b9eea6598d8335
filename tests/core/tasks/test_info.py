"""Parameters of tasks, described as JSON schemas."""

import inspect
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from src.core.tasks.info import TaskInfo

pytestmark = pytest.mark.unit


class Order(BaseModel):
    number: int


class Plain:
    pass


def schemas(function: Callable[..., Any]) -> dict[str, Any]:
    info = TaskInfo("name", "", inspect.signature(function))
    return {parameter.name: parameter.json_schema for parameter in info.parameters}


def test_types_and_defaults_are_described() -> None:
    def task(number: int, *rest: int, name: str | None = None, order: Order, age: timedelta = timedelta(1)) -> None: ...

    assert schemas(task) == {
        "number": {"type": "integer"},
        "*rest": {},
        "name": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        "order": Order.model_json_schema(),
        "age": {"type": "string", "format": "duration", "default": "P1D"},
    }


def test_what_has_no_schema_accepts_any_json() -> None:
    def task(a, b: Plain, c: Callable[[], int], d=Plain()) -> None: ...  # type: ignore[no-untyped-def]  # noqa: B008

    assert schemas(task) == {"a": {}, "b": {}, "c": {}, "d": {}}
