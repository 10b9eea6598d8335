"""Describes which parameters an entry point (HTTP, Socket.IO, Celery) can supply."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Response, UploadFile, WebSocket, params
from fastapi.security import SecurityScopes
from pydantic import BaseModel
from starlette.background import BackgroundTasks
from starlette.requests import HTTPConnection

from src.core.injection.arguments import Arguments, NativeArguments
from src.core.injection.dependency import CONNECTION, Argument, Dependency, Supplied
from src.core.injection.errors import UnresolvableParameterError
from src.core.injection.fields import compile_field, group_fields
from src.core.injection.invoke import is_generator
from src.core.injection.parameters import EMPTY, Parameter, Special, read_parameters
from src.core.injection.scopes import Scope

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
        return reader.read(call, scope=original.scope, above=original.security_scopes)


class _Reader:
    """Reads a tree of dependencies from signatures.

    Args:
        entry_point: What can be supplied.
        handler: Its unmarked parameters are the caller's arguments; dependencies may take them too.
    """

    def __init__(self, entry_point: EntryPoint, handler: Call | None) -> None:
        self._entry_point = entry_point
        self._handler = handler
        self._arguments: dict[str, Any] = {}
        self._path: list[Call] = []

    def read(
        self,
        call: Call,
        *,
        guards: Sequence[params.Depends] = (),
        scope: Scope | None = None,
        above: tuple[str, ...] = (),
        own: tuple[str, ...] = (),
        **declared: Any,
    ) -> Dependency:
        """Read a callable.

        Args:
            call: The callable.
            guards: Dependencies that run before its own.
            scope: When it is closed.
            above: Security scopes that its parents require.
            own: Security scopes that its own declaration requires.
            declared: More attributes of the `Dependency`.
        """
        if call in self._path:
            raise UnresolvableParameterError(call, "*", "it depends on itself")
        self._path.append(call)
        parameters = read_parameters(call)
        marked: list[tuple[params.Depends, Parameter | None]] = [(guard, None) for guard in guards]
        marked += [(p.marker, p) for p in parameters if isinstance(p.marker, params.Depends)]
        inputs = [(p.name, source) for p in parameters if (source := self._input(call, p)) is not None]
        arguments = [p for p in parameters if (p.name, Argument(p.name)) in inputs] if call is self._handler else []
        self._arguments.update((p.name, p.annotation) for p in arguments)
        from_connection = [p for p in parameters if isinstance(p.marker, _FROM_CONNECTION)]
        takes_scopes = [p.name for p in parameters if p.marker is None and _is_subclass(p.type, SecurityScopes)]
        dependencies = [self._dependency(call, scope, (*above, *own), *each) for each in marked]
        self._path.pop()
        return Dependency(
            call=call,
            dependencies=tuple(dependencies),
            inputs=tuple(inputs),
            fields=group_fields([self._field(call, parameter) for parameter in from_connection]),
            takes_scopes=takes_scopes[-1] if takes_scopes else None,
            positional=tuple(p.name for p in parameters if p.kind is inspect.Parameter.POSITIONAL_ONLY),
            arguments=tuple(arguments),
            scope=scope,
            security_scopes=(*above, *(name for name in dict.fromkeys(own) if name not in above)),
            adds_security_scopes=bool(own),
            **declared,
        )

    def _dependency(
        self,
        parent: Call,
        parent_scope: Scope | None,
        above: tuple[str, ...],
        depends: params.Depends,
        parameter: Parameter | None,
    ) -> Dependency:
        name = parameter.name if parameter else "dependencies"
        call = depends.dependency or (parameter.type if parameter and parameter.type is not EMPTY else None)
        if not callable(call):
            raise UnresolvableParameterError(parent, name, f"{call!r} is not callable")
        if depends.max_concurrency is not None:
            raise UnresolvableParameterError(parent, name, "max_concurrency is not supported")
        if depends.scope == "function" and parent_scope != "function" and is_generator(parent):
            reason = 'a generator with scope="request" is closed after dependencies with scope="function"'
            raise UnresolvableParameterError(parent, name, reason)
        return self.read(
            call,
            name=parameter.name if parameter else None,
            use_cache=depends.use_cache,
            scope=depends.scope,
            above=above,
            own=tuple(depends.scopes or ()) if isinstance(depends, params.Security) else (),
        )

    def _field(self, call: Call, parameter: Parameter) -> Any:
        self._require_connection(call, parameter)
        return compile_field(call, parameter)

    def _input(self, call: Call, parameter: Parameter) -> Argument | Supplied | None:
        """The argument or special that a parameter gets; None when something else supplies it."""
        if isinstance(parameter.marker, (params.Depends, *_FROM_CONNECTION)):
            return None
        if parameter.marker is None and _is_subclass(parameter.type, SecurityScopes):
            return None
        if supplied := self._supplied(call, parameter):
            return supplied
        self._require_handler(call, parameter)
        return Argument(parameter.name)

    def _supplied(self, call: Call, parameter: Parameter) -> Supplied | None:
        if isinstance(parameter.marker, Special):
            if parameter.marker.name not in self._entry_point.specials:
                raise UnresolvableParameterError(call, parameter.name, f"{parameter.marker.name!r} is not known here")
            return Supplied(parameter.marker.name)
        if parameter.marker is not None or _is_subclass(parameter.type, _HTTP_ONLY):
            what = parameter.marker or parameter.type
            raise UnresolvableParameterError(call, parameter.name, f"only an HTTP request can supply {what!r}")
        if _is_subclass(parameter.type, HTTPConnection):
            self._require_connection(call, parameter)
            return Supplied(CONNECTION)
        return None

    def _require_connection(self, call: Call, parameter: Parameter) -> None:
        if not self._entry_point.connection:
            raise UnresolvableParameterError(call, parameter.name, "there is no HTTP connection here")

    def _require_handler(self, call: Call, parameter: Parameter) -> None:
        """Only the handler has arguments; a dependency takes one of them by its name and type, as a body in FastAPI."""
        is_shared = parameter.name in self._arguments and self._arguments[parameter.name] == parameter.annotation
        if call is self._handler or is_shared:
            return
        if _is_subclass(call, BaseModel):
            raise UnresolvableParameterError(
                call, parameter.name, "a model is an argument of the handler, not a dependency"
            )
        markers = "Query(), Header(), Cookie() or Depends(...)" if self._entry_point.connection else "Depends(...)"
        reason = f"the handler has no argument of this name and type; write Annotated[<type>, <marker>] with {markers}"
        raise UnresolvableParameterError(call, parameter.name, reason)


def _is_subclass(annotation: Any, bases: type | tuple[type, ...]) -> bool:
    return inspect.isclass(annotation) and issubclass(annotation, bases)
