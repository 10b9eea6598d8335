"""Answer FastAPI's HTTP parameters from the connection that a handler's client opened."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_args, get_origin

from fastapi import BackgroundTasks, Response, UploadFile, WebSocket, params
from fastapi.security import SecurityScopes
from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.requests import HTTPConnection, Request

from src.core.injection.errors import FieldError, PayloadError, UnresolvableParameterError, field_errors
from src.core.injection.parameters import EMPTY, Parameter

Read = Callable[[Request], Any]
"""Take one parameter's value from the connection."""

_REQUEST_ONLY = (WebSocket, Response, BackgroundTasks, UploadFile, SecurityScopes)


def compile_read(call: Callable[..., Any], parameter: Parameter) -> Read | None:
    """Compile a parameter that the connection answers; None when it is not one of those.

    Raises:
        UnresolvableParameterError: It belongs to an HTTP request and its response alone.
    """
    if isinstance(parameter.marker, (params.Header, params.Query, params.Cookie)):
        return _Field(call, parameter, parameter.marker).read
    if parameter.marker is not None or _is_subclass(parameter.type, _REQUEST_ONLY):
        what = parameter.marker or parameter.type
        raise UnresolvableParameterError(call, parameter.name, f"only an HTTP request can supply {what!r}")
    return _itself if _is_subclass(parameter.type, HTTPConnection) else None


class _Field:
    """A header, query parameter or cookie."""

    def __init__(self, call: Callable[..., Any], parameter: Parameter, marker: params.Param) -> None:
        if any(_is_subclass(part, BaseModel) for part in (parameter.type, *get_args(parameter.type))):
            raise UnresolvableParameterError(call, parameter.name, "name each header, query parameter or cookie")
        self.source = {params.Header: "headers", params.Query: "query_params"}.get(type(marker), "cookies")
        self.name = marker.alias or parameter.name
        if isinstance(marker, params.Header) and marker.convert_underscores and not marker.alias:
            self.name = self.name.replace("_", "-")
        self.many = any(_is_list(part) for part in (parameter.type, *get_args(parameter.type)))
        self.default = parameter.default
        if self.default is EMPTY and not marker.is_required():
            self.default = marker.get_default(call_default_factory=True)
        constrained: Any = Annotated[parameter.annotation, marker]
        self.validate = TypeAdapter[Any](constrained).validate_python

    def read(self, connection: Request) -> Any:
        """Take and validate the value.

        Raises:
            PayloadError: The client sent none, or a wrong one.
        """
        values = getattr(connection, self.source)
        if self.name not in values:
            if self.default is EMPTY:
                raise PayloadError([FieldError(field=self.name, message="Field required", type="missing")])
            return self.default
        try:
            return self.validate(values.getlist(self.name) if self.many else values[self.name])
        except ValidationError as error:
            raise PayloadError(field_errors(error, self.name)) from error


def _itself(connection: Request) -> Request:
    return connection


def _is_list(annotation: Any) -> bool:
    return (get_origin(annotation) or annotation) in (list, set, tuple, frozenset)


def _is_subclass(annotation: Any, bases: type | tuple[type, ...]) -> bool:
    return inspect.isclass(annotation) and issubclass(annotation, bases)
