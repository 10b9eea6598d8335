"""Describes which parameters an entry point (HTTP, Socket.IO, Celery) can supply."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import BackgroundTasks, Response, UploadFile, WebSocket, params
from fastapi.security import SecurityScopes
from starlette.requests import HTTPConnection

from src.core.injection.arguments import Arguments, NativeArguments
from src.core.injection.dependency import Argument, Dependency, Supplied
from src.core.injection.errors import UnresolvableParameterError
from src.core.injection.fields import compile_field, group_fields
from src.core.injection.invoke import is_generator
from src.core.injection.parameters import EMPTY, Parameter, Special, read_parameters
from src.core.injection.scopes import Scope

CONNECTION = "connection"
"""The special that is the HTTP connection."""

_FROM_CONNECTION = (params.Query, params.Header, params.Cookie)
_HTTP_ONLY = (WebSocket, Response, BackgroundTasks, UploadFile)

Call = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """What an entry point can supply besides `Depends` and `Security`.

    Attributes:
        specials: Names of the `Special` markers that it supplies in every run.
        connection: Runs come with an HTTP connection, from which `Request`, `Header`, `Cookie`, `Query` and FastAPI's
            security schemes are read.
        arguments: How the unmarked parameters of a handler are bound.
    """

    specials: frozenset[str] = frozenset()
    connection: bool = False
    arguments: type[Arguments] = NativeArguments

    def read_handler(self, handler: Call, guards: Sequence[params.Depends] = ()) -> Dependency:
        """Read a handler and everything that it depends on.

        Args:
            handler: A function, bound method or callable object.
            guards: Dependencies that run before the handler's own; nothing takes their values.

        Raises:
            UnresolvableParameterError: A parameter cannot be supplied.
        """
        if is_generator(handler):
            raise UnresolvableParameterError(handler, "return", "a handler returns; only dependencies may yield")
        return _Reader(self, handler).read(handler, guards=guards)

    def read_override(self, original: Dependency, call: Call) -> Dependency:
        """Read what runs in place of a dependency."""
        reader = _Reader(self, None)
        return reader.read(call, scope=original.scope, security_scopes=original.security_scopes)


class _Reader:
    """Reads a tree of dependencies from signatures.

    Args:
        entry_point: What can be supplied.
        handler: The only callable that may have unmarked parameters.
    """

    def __init__(self, entry_point: EntryPoint, handler: Call | None) -> None:
        self._entry_point = entry_point
        self._handler = handler
        self._path: list[Call] = []

    def read(self, call: Call, *, guards: Sequence[params.Depends] = (), **declared: Any) -> Dependency:
        if call in self._path:
            raise UnresolvableParameterError(call, "*", "it depends on itself: " + " → ".join(map(repr, self._path)))
        self._path.append(call)
        parameters = read_parameters(call)
        dependencies = [self._dependency(call, guard, None, declared) for guard in guards]
        inputs: list[tuple[str, Argument | Supplied]] = []
        fields: list[Any] = []
        arguments: list[Parameter] = []
        takes_scopes: str | None = None
        for parameter in parameters:
            if isinstance(parameter.marker, params.Depends):
                dependencies.append(self._dependency(call, parameter.marker, parameter, declared))
            elif isinstance(parameter.marker, _FROM_CONNECTION):
                self._demand_connection(call, parameter)
                fields.append(compile_field(call, parameter))
            elif parameter.marker is None and _is_subclass(parameter.type, SecurityScopes):
                takes_scopes = parameter.name
            elif supplied := self._supplied(call, parameter):
                inputs.append((parameter.name, supplied))
            else:
                self._demand_handler(call, parameter)
                inputs.append((parameter.name, Argument(parameter.name)))
                arguments.append(parameter)
        self._path.pop()
        return Dependency(
            call=call,
            dependencies=tuple(dependencies),
            inputs=tuple(inputs),
            fields=group_fields(fields),
            takes_scopes=takes_scopes,
            positional=tuple(p.name for p in parameters if p.kind is inspect.Parameter.POSITIONAL_ONLY),
            arguments=tuple(arguments),
            **declared,
        )

    def _dependency(
        self, parent: Call, depends: params.Depends, parameter: Parameter | None, declared: dict[str, Any]
    ) -> Dependency:
        name = parameter.name if parameter else "dependencies"
        call = depends.dependency or (parameter.type if parameter and parameter.type is not EMPTY else None)
        if not callable(call):
            raise UnresolvableParameterError(parent, name, f"{call!r} is not callable")
        if depends.max_concurrency is not None:
            raise UnresolvableParameterError(parent, name, "max_concurrency is not supported")
        scope: Scope | None = declared.get("scope")
        if depends.scope == "function" and scope != "function" and parent != self._handler and is_generator(parent):
            reason = 'a generator with scope="request" is closed after dependencies with scope="function"'
            raise UnresolvableParameterError(parent, name, reason)
        own = tuple(depends.scopes or ()) if isinstance(depends, params.Security) else ()
        above: tuple[str, ...] = declared.get("security_scopes", ())
        return self.read(
            call,
            name=parameter.name if parameter else None,
            use_cache=depends.use_cache,
            scope=depends.scope,
            security_scopes=tuple(dict.fromkeys((*above, *own))),
            adds_security_scopes=bool(own),
        )

    def _supplied(self, call: Call, parameter: Parameter) -> Supplied | None:
        if isinstance(parameter.marker, Special):
            if parameter.marker.name not in self._entry_point.specials:
                raise UnresolvableParameterError(call, parameter.name, f"{parameter.marker.name!r} is not known here")
            return Supplied(parameter.marker.name)
        if parameter.marker is not None or _is_subclass(parameter.type, _HTTP_ONLY):
            what = parameter.marker or parameter.type
            raise UnresolvableParameterError(call, parameter.name, f"only an HTTP request can supply {what!r}")
        if _is_subclass(parameter.type, HTTPConnection):
            self._demand_connection(call, parameter)
            return Supplied(CONNECTION)
        return None

    def _demand_connection(self, call: Call, parameter: Parameter) -> None:
        if not self._entry_point.connection:
            raise UnresolvableParameterError(call, parameter.name, "there is no HTTP connection here")

    def _demand_handler(self, call: Call, parameter: Parameter) -> None:
        if call is self._handler:
            return
        markers = "Query(), Header(), Cookie() or Depends(...)" if self._entry_point.connection else "Depends(...)"
        reason = f"only the handler takes unmarked parameters; write Annotated[<type>, <marker>] with {markers}"
        raise UnresolvableParameterError(call, parameter.name, reason)


def _is_subclass(annotation: Any, bases: type | tuple[type, ...]) -> bool:
    return inspect.isclass(annotation) and issubclass(annotation, bases)
