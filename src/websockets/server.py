"""A Socket.IO server whose handlers are written like FastAPI's."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, overload

import socketio
from fastapi import FastAPI, params

from src.core.realtime.event_registry import EVERYWHERE, EventRegistry
from src.utils.wire import to_wire
from src.websockets.dispatch import Dispatch, Middleware
from src.websockets.engine.session_bound_server import SessionBoundServer
from src.websockets.errors import ErrorBody
from src.websockets.registry import SocketEvent, compile_event
from src.websockets.router import SocketRouter

F = TypeVar("F", bound=Callable[..., Any])
M = TypeVar("M", bound=Middleware)


class AsyncServer(SessionBoundServer):
    """`socketio.AsyncServer` with dependency injection, validated payloads, acks and errors.

    Args:
        app: The application whose `dependency_overrides` and `state` the handlers share; `asgi` sets it as well.
        strict: Raise `UndeclaredEventError` where something is sent that nobody declared, or in another shape: for
            debugging and tests. A handler that does so fails with code 1011, and with the reason in the log.
        explain: Says which error an exception of a handler means, or None for what it is.
        options: `limits`, `recovery`, and those of `socketio.AsyncServer`.

    Attributes:
        emissions: The events that the server sends, as far as they are declared.
    """

    def __init__(
        self,
        *,
        app: FastAPI | None = None,
        strict: bool = False,
        explain: Callable[[Exception], Exception | None] = lambda _: None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.app = app
        self.strict = strict
        self.explain = explain
        self.emissions = EventRegistry()
        self.emits({"error": ErrorBody}, namespace=EVERYWHERE)
        self.middlewares: list[Middleware] = []
        self._events: dict[tuple[str, str], SocketEvent] = {}

    def asgi(self, app: FastAPI, path: str = "/socket.io") -> socketio.ASGIApp:
        """Put the server in front of an application.

        It has to be outermost: `cors_allowed_origins` alone then decides about its requests, websockets included, and
        no middleware of the application adds a second answer. Lifespan events reach the application.
        """
        self.app = app
        return socketio.ASGIApp(self, other_asgi_app=app, socketio_path=path)

    @overload
    def on(
        self,
        event: str,
        handler: None = None,
        namespace: str | None = None,
        *,
        dependencies: Sequence[params.Depends] = (),
        ordered: bool = False,
        emits: Mapping[str, Any] | None = None,
    ) -> Callable[[F], F]: ...

    @overload
    def on(self, event: str, handler: Callable[..., Any], namespace: str | None = None) -> None: ...

    def on(
        self,
        event: str,
        handler: Callable[..., Any] | None = None,
        namespace: str | None = None,
        *,
        dependencies: Sequence[params.Depends] = (),
        ordered: bool = False,
        emits: Mapping[str, Any] | None = None,
    ) -> Any:
        """Register a handler: injected when used as a decorator, python-socketio's own way when `handler` is given.

        Args:
            event: The event's name, or `*` for all that have no handler of their own.
            handler: A function in python-socketio's own style.
            namespace: Where the event is heard.
            dependencies: Run before the handler's own; their values are dropped.
            ordered: Whether one client's ordered events run one after the other, as they were sent.
            emits: The events that the handler sends in this namespace, with the types of their payloads.

        Raises:
            UnresolvableParameterError: A parameter can be supplied by nobody.
            ValueError: The event has an injected handler already, or another one sends the same event otherwise.
        """
        if handler is not None:
            return super().on(event, handler, namespace)

        def register(function: F) -> F:
            self._add(compile_event(event, namespace or "/", function, dependencies, ordered=ordered, emits=emits))
            return function

        return register

    @overload
    def event(self, handler: F) -> F: ...

    @overload
    def event(self, *, namespace: str) -> Callable[[F], F]: ...

    def event(self, handler: Callable[..., Any] | None = None, *, namespace: str | None = None) -> Any:
        """Register a handler for the event of its own name."""
        if handler is not None:
            return self.on(handler.__name__)(handler)
        return lambda function: self.on(function.__name__, namespace=namespace)(function)

    def middleware(self, function: M) -> M:
        """Put a function around every injected event, the first one outermost: `async def f(call, proceed)`.

        It returns what `await proceed()` gave, or something else, or raises.
        """
        self.middlewares.append(function)
        return function

    def include_router(self, router: SocketRouter) -> None:
        """Add the events of a router."""
        for event in router.events:
            self._add(event)

    def register_namespace(self, namespace_handler: socketio.AsyncNamespace) -> None:
        """Register a class of handlers, injecting into its `on_…` methods.

        A class with a `trigger_event` of its own dispatches by itself, and gets no injection.
        """
        super().register_namespace(namespace_handler)
        if type(namespace_handler).trigger_event is not socketio.AsyncNamespace.trigger_event:
            return
        for name in dir(type(namespace_handler)):
            if name.startswith("on_"):
                method = getattr(namespace_handler, name)
                self.on(name.removeprefix("on_"), namespace=namespace_handler.namespace)(method)

    def registered_events(self) -> list[SocketEvent]:
        """List the injected handlers."""
        return list(self._events.values())

    def emits(self, shapes: Mapping[str, Any], *, namespace: str = "/") -> None:
        """Declare events that no handler of an event sends, with the types of their payloads.

        Raises:
            ValueError: One is declared with another type already.
        """
        self.emissions.declare(shapes, namespace)

    async def emit(
        self,
        event: str,
        data: Any = None,
        to: Any = None,
        room: Any = None,
        skip_sid: Any = None,
        namespace: str | None = None,
        **options: Any,
    ) -> None:
        """Emit as `socketio.AsyncServer` does; models, dates and the like may appear anywhere in the data.

        Raises:
            UndeclaredEventError: The server is strict, and the event is not declared like this.
        """
        self.check_emission(event, data, namespace or "/")
        await super().emit(event, to_wire(data), to, room, skip_sid, namespace, **options)

    def check_emission(self, event: str, data: object, namespace: str = "/") -> None:
        """Compare what is about to be sent with its declaration; namespaces without injected handlers are left alone.

        Raises:
            UndeclaredEventError: The server is strict, and the event is not declared like this.
        """
        if self.strict and any(namespace == known for known, _ in self._events):
            self.emissions.check(event, data, namespace)

    @property
    def dependency_overrides(self) -> Mapping[Callable[..., Any], Callable[..., Any]]:
        """The application's replacements for dependencies."""
        return self.app.dependency_overrides if self.app else {}

    def _add(self, event: SocketEvent) -> None:
        key = event.namespace, event.name
        if key in self._events:
            raise ValueError(f"{event.name!r} in {event.namespace!r} has a handler: {self._events[key].handler!r}")
        self.emissions.declare(event.emits, event.namespace, sender=event.name)
        self._events[key] = event
        dispatch = Dispatch(self, event)
        run = {"connect": dispatch.connect, "disconnect": dispatch.disconnect}.get(event.name, dispatch.event)
        super().on(event.name, run, event.namespace)
