"""Errors of registration blame the handler's author; `PayloadError` is the only one that blames the caller."""

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Annotated, Any

from pydantic import Field
from typing_extensions import TypedDict  # pydantic takes no other before Python 3.12

from src.utils.bounds import MAX_ERRORS, MAX_FIELD_LENGTH, MAX_MESSAGE_LENGTH
from src.utils.text import printable


class FieldError(TypedDict):
    """One fault in the caller's input; `field` is its dotted path, `type` pydantic's stable name of the rule."""

    field: Annotated[str, Field(description="The input's name, dotted if it is nested.", examples=["room"])]
    message: Annotated[str, Field(description="What is wrong, for people.", examples=["Field required"])]
    type: Annotated[str, Field(description="What is wrong, for programs.", examples=["missing"])]


class UnresolvableParameterError(TypeError):
    """Nothing can supply a parameter; raised when its handler is registered."""

    def __init__(self, call: Callable[..., Any], parameter: str, reason: str) -> None:
        super().__init__(f"{name_of(call)}, parameter {parameter!r}: {reason}")


class UnsupportedDependencyError(Exception):
    """A dependency uses a feature that only FastAPI's own engine implements; the message names the feature."""


class PayloadError(ValueError):
    """The caller's input does not fit the parameters.

    Attributes:
        errors: The first 50 errors.
        wrong_kind: A payload has another type altogether (text for an object), or there are too many arguments.
    """

    def __init__(self, errors: Iterable[FieldError], *, wrong_kind: bool = False) -> None:
        self.errors = list(errors)[:MAX_ERRORS]
        self.wrong_kind = wrong_kind
        super().__init__("; ".join(f"{error['field']}: {error['message']}" for error in self.errors))


def field_errors(errors: Iterable[Mapping[str, Any]], *prefix: str) -> list[FieldError]:
    """Convert the first 50 of pydantic's errors; the values that the caller sent are left out."""
    return [
        FieldError(
            field=printable(".".join(map(str, (*prefix, *error["loc"]))), MAX_FIELD_LENGTH),
            message=printable(error["msg"], MAX_MESSAGE_LENGTH),
            type=error["type"],
        )
        for error in islice(errors, MAX_ERRORS)
    ]


def name_of(call: Callable[..., Any]) -> str:
    """The full name of a callable, for messages."""
    name = getattr(call, "__qualname__", None) or type(call).__qualname__
    return f"{call.__module__}.{name}"
