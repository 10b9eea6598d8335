"""Bind the caller's arguments to the unmarked parameters of a handler."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError

from src.core.injection.errors import FieldError, PayloadError, UnresolvableParameterError, field_errors
from src.core.injection.parameters import EMPTY, Parameter
from src.utils.bounds import MAX_FIELD_LENGTH, OutOfBoundsError, check_bounds
from src.utils.text import UNSTORABLE, find_unstorable, printable


class Arguments(ABC):
    """The unmarked parameters of one handler, compiled once.

    Args:
        call: The handler, for error messages.
        parameters: Its unmarked parameters, in order.
    """

    def __init__(self, call: Callable[..., Any], parameters: Sequence[Parameter]) -> None:
        try:
            self.signature = inspect.Signature([parameter.without_marker() for parameter in parameters])
        except ValueError as error:
            raise UnresolvableParameterError(call, ", ".join(p.name for p in parameters), str(error)) from error

    @abstractmethod
    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        """Return a value for each parameter, in order."""


class NativeArguments(Arguments):
    """The caller is Python: arguments are passed on unvalidated, and a wrong call is a `TypeError`."""

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        """Bind as a call of the handler would."""
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return list(bound.arguments.values())


class ValidatedArguments(Arguments):
    """The caller is a client: positional arguments only, each validated by the type of its parameter."""

    def __init__(self, call: Callable[..., Any], parameters: Sequence[Parameter]) -> None:
        super().__init__(call, parameters)
        self._fields = [(parameter.name, _validator(call, parameter), parameter.default) for parameter in parameters]

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        """Validate all arguments and report their errors at once.

        Raises:
            PayloadError: Too many or too few arguments, too much in them, or one that is invalid.
        """
        fields = self._fields
        if len(args) > len(fields):
            raise PayloadError([_arity_error(len(fields), len(args))], wrong_kind=True)
        try:
            check_bounds(args)
        except OutOfBoundsError as error:
            raise PayloadError([FieldError(field="arguments", message=str(error), type="out_of_bounds")]) from error
        values: list[Any] = []
        errors: list[FieldError] = []
        wrong_kind = False
        for index, (name, validate, default) in enumerate(fields):
            if index < len(args):
                try:
                    values.append(validate(args[index]))
                except ValidationError as error:
                    # Paths start at the payload itself when it is the only argument.
                    raw = error.errors(include_url=False, include_context=False, include_input=False)
                    found = field_errors(raw) if len(fields) == 1 else field_errors(raw, name)
                    errors += [{**item, "field": item["field"] or name} for item in found]
                    wrong_kind = wrong_kind or any(not item["loc"] and item["type"].endswith("_type") for item in raw)
            elif default is EMPTY:
                errors.append(FieldError(field=name, message="Field required", type="missing_argument"))
                wrong_kind = True
            else:
                values.append(default)
        if errors or (errors := _text_errors(args, [name for name, _, _ in fields])):
            raise PayloadError(errors, wrong_kind=wrong_kind)
        return values


def _text_errors(args: Sequence[Any], names: Sequence[str]) -> list[FieldError]:
    """Refuse text that no store accepts, whatever type its parameter has."""
    shown = repr(args)  # it escapes such text, and a search in it takes a third of the time
    if "\\x00" not in shown and "\\ud" not in shown:
        return []
    path = find_unstorable(list(args))
    if path is None:
        return []
    index, *inner = path
    field = ".".join(map(str, inner if len(names) == 1 and inner else (names[int(index)], *inner)))
    return [
        FieldError(field=printable(field, MAX_FIELD_LENGTH), message=f"Value error, {UNSTORABLE}", type="value_error")
    ]


def _validator(call: Callable[..., Any], parameter: Parameter) -> Callable[[Any], Any]:
    if parameter.annotation is EMPTY:
        reason = "annotate it with the type of the payload, or mark it (Depends, SID, ...)"
        raise UnresolvableParameterError(call, parameter.name, reason)
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(parameter.annotation)
        adapter.rebuild(raise_errors=True)
    except (PydanticSchemaGenerationError, PydanticUserError) as error:
        reason = f"no payload can be validated as {parameter.annotation!r}; mark what supplies it"
        raise UnresolvableParameterError(call, parameter.name, reason) from error
    return adapter.validate_python


def _arity_error(expected: int, given: int) -> FieldError:
    return FieldError(
        field="arguments", message=f"takes at most {expected} arguments, {given} were sent", type="too_many_arguments"
    )
