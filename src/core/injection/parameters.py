"""Read a callable's parameters: resolved annotations, and the marker that says what supplies each."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, get_args, get_origin

from fastapi import params
from pydantic.fields import FieldInfo
from typing_inspection.typing_objects import is_typealiastype

from src.core.injection.errors import UnresolvableParameterError

EMPTY = inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class Special:
    """Marks a parameter that the entry point supplies by name, as in `SID = Annotated[str, Special("sid")]`."""

    name: str


Marker = params.Depends | params.Param | params.Body | Special


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a callable.

    Attributes:
        annotation: As written, with aliases resolved; `Annotated` is kept, since it may hold constraints.
        type: The annotation without `Annotated`.
        default: What the parameter is without a value; `EMPTY` when it is required or its default is a marker.
        declared: The default as written, which may be a marker.
        marker: What supplies it; None for an unmarked parameter.
    """

    name: str
    kind: Any
    annotation: Any
    type: Any
    default: Any
    declared: Any
    marker: Marker | None

    def without_marker(self) -> inspect.Parameter:
        """The parameter as a caller sees it."""
        return inspect.Parameter(self.name, self.kind, default=self.default, annotation=self.annotation)


def read_parameters(call: Callable[..., Any]) -> list[Parameter]:
    """Read the parameters of a function, class, `partial` or callable object.

    A keyword that a `partial` has bound is no parameter any more.

    Raises:
        UnresolvableParameterError: An annotation names something unknown, or there is no signature to read.
    """
    bound = call.keywords if isinstance(call, partial) else {}
    parameters = [parameter for name, parameter in _signature(call).parameters.items() if name not in bound]
    for parameter in parameters:
        if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            raise UnresolvableParameterError(call, str(parameter), "name each parameter, so that each can be supplied")
    return [_read(call, parameter) for parameter in parameters]


def read_return(call: Callable[..., Any]) -> Any:
    """Read the return type of a callable; `EMPTY` when it declares none."""
    return _resolve_alias(_signature(call).return_annotation)


def _signature(call: Callable[..., Any]) -> inspect.Signature:
    """Evaluate postponed annotations; a name that only the return type needs may stay unknown."""
    unknown: dict[str, Any] = {}
    while True:
        try:
            return inspect.signature(call, eval_str=True, locals=unknown)
        except NameError as error:
            missing = str(error.name)
            for name, parameter in inspect.signature(call).parameters.items():
                if missing in str(parameter.annotation):
                    reason = f"its annotation names {missing!r}, which its module does not define at run time"
                    raise UnresolvableParameterError(call, name, reason) from error
            unknown[missing] = Any
        except ValueError as error:
            raise UnresolvableParameterError(call, "*", "the callable has no signature to read") from error


def _read(call: Callable[..., Any], parameter: inspect.Parameter) -> Parameter:
    annotation = _resolve_alias(parameter.annotation)
    base, metadata = annotation, []
    if get_origin(annotation) is Annotated:
        base, *metadata = get_args(annotation)
    marker = next((item for item in reversed(metadata) if isinstance(item, Marker)), None)
    default = parameter.default
    if isinstance(default, Marker):
        marker, default = default, EMPTY
    elif isinstance(default, FieldInfo):
        annotation, default = _constrained(call, parameter, annotation, default)
    return Parameter(
        name=parameter.name,
        kind=parameter.kind,
        annotation=annotation,
        type=_resolve_alias(base),
        default=default,
        declared=parameter.default,
        marker=marker,
    )


def _constrained(
    call: Callable[..., Any], parameter: inspect.Parameter, annotation: Any, field: FieldInfo
) -> tuple[Any, Any]:
    """The annotation and the default that `count: int = Field(7, gt=0)` means."""
    if field.default_factory is not None:
        raise UnresolvableParameterError(call, parameter.name, "write its default as a value, without default_factory")
    return Annotated[annotation, *field.metadata], EMPTY if field.is_required() else field.default


def _resolve_alias(annotation: Any) -> Any:
    while is_typealiastype(annotation):
        annotation = annotation.__value__
    return annotation
