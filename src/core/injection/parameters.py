"""Read a callable's parameters: resolved annotations, and the marker that says who supplies each."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, get_args, get_origin

from fastapi import params
from typing_inspection.typing_objects import is_typealiastype

from src.core.injection.errors import UnresolvableParameterError

EMPTY = inspect.Parameter.empty


@dataclass(frozen=True, slots=True)
class Special:
    """Marks a parameter that the door supplies by name, as in `SID = Annotated[str, Special("sid")]`."""

    name: str


Marker = params.Depends | params.Param | params.Body | Special


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a callable.

    Attributes:
        annotation: As written, with aliases opened; `Annotated` is kept, since it may hold constraints.
        type: The annotation without `Annotated`.
        marker: Who supplies it; None for an unmarked parameter.
    """

    name: str
    keyword_only: bool
    annotation: Any
    type: Any
    default: Any
    marker: Marker | None


def read_parameters(call: Callable[..., Any]) -> list[Parameter]:
    """Read the parameters of a function, class or callable object.

    Raises:
        UnresolvableParameterError: An annotation names something unknown, or there is no signature to read.
    """
    parameters = _signature(call).parameters.values()
    for parameter in parameters:
        if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD):
            raise UnresolvableParameterError(call, str(parameter), "name each parameter, so that each can be supplied")
    return [_read(parameter) for parameter in parameters]


def read_return(call: Callable[..., Any]) -> Any:
    """Read what a callable says that it returns; `EMPTY` when it says nothing."""
    return _open_alias(_signature(call).return_annotation)


def _signature(call: Callable[..., Any]) -> inspect.Signature:
    """Evaluate postponed annotations; one that only the return type needs may stay unknown."""
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


def _read(parameter: inspect.Parameter) -> Parameter:
    annotation = _open_alias(parameter.annotation)
    base, metadata = annotation, []
    if get_origin(annotation) is Annotated:
        base, *metadata = get_args(annotation)
    marker = next((item for item in reversed(metadata) if isinstance(item, Marker)), None)
    default = parameter.default
    if isinstance(default, Marker):
        marker, default = default, EMPTY
    return Parameter(
        name=parameter.name,
        keyword_only=parameter.kind is inspect.Parameter.KEYWORD_ONLY,
        annotation=annotation,
        type=_open_alias(base),
        default=default,
        marker=marker,
    )


def _open_alias(annotation: Any) -> Any:
    while is_typealiastype(annotation):
        annotation = annotation.__value__
    return annotation
