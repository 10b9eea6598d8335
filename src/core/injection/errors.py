"""What can go wrong: at registration the author is at fault, at run time only `PayloadError` blames the caller."""

from collections.abc import Callable, Iterable
from typing import Any

from pydantic import ValidationError
from typing_extensions import TypedDict  # pydantic takes no other before Python 3.12


class FieldError(TypedDict):
    """One fault in the caller's input; `field` is its dotted path, `type` pydantic's stable name of the rule."""

    field: str
    message: str
    type: str


class UnresolvableParameterError(TypeError):
    """A parameter that nothing can supply, found when its handler is registered."""

    def __init__(self, call: Callable[..., Any], parameter: str, reason: str) -> None:
        name = getattr(call, "__qualname__", None) or type(call).__qualname__
        super().__init__(f"{call.__module__}.{name}, parameter {parameter!r}: {reason}")


class PayloadError(ValueError):
    """The caller's input does not fit the parameters.

    Attributes:
        errors: Every fault found.
        wrong_kind: Something is of another kind altogether (text for an object, too many arguments).
    """

    def __init__(self, errors: Iterable[FieldError], *, wrong_kind: bool = False) -> None:
        self.errors = list(errors)
        self.wrong_kind = wrong_kind
        super().__init__("; ".join(f"{error['field']}: {error['message']}" for error in self.errors))


def field_errors(error: ValidationError, *prefix: str) -> list[FieldError]:
    """List the faults of a validation error, without the values that the caller sent."""
    return [
        FieldError(field=".".join(map(str, (*prefix, *fault["loc"]))), message=fault["msg"], type=fault["type"])
        for fault in error.errors(include_url=False, include_context=False, include_input=False)
    ]
