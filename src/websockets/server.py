"""`AsyncServer`: a Socket.IO server whose handlers are written like FastAPI's."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar, overload

import socketio
from fastapi import FastAPI, params

from src.core.realtime.connected_client import ClientList
from src.core.realtime.event_registry import ANY_NAMESPACE, EventRegistry
from src.utils.wire import to_wire
from src.websockets.compiled_event import SocketEvent, compile_event
from src.websockets.dispatch import BeginEvent, Dispatch, Middleware
from src.websockets.engine.overrides import SocketIOServer
from src.websockets.errors import ErrorBody
from src.websockets.router import SocketRouter

F = TypeVar("F", bound=Callable[..., Any])
M = TypeVar("M", bound=Middleware)


class AsyncServer(SocketIOServer):
    """`socketio.AsyncServer` with dependency injection, validated payloads, acks and errors.

    Args:
        app: The application whose `dependency_overrides` and `state` the handlers share; `asgi` sets it as well.
        strict: Raise `UndeclaredEventError` when an undeclared event is emitted, or one whose JSON form differs from
            that of its declared type: for debugging and tests.
        translate_error: Maps an exception of a handler to the one to report, or to None to report it unchanged.
        options: `limits`, `recovery`, and those of `socketio.AsyncServer`.

    Attributes:
        declared_events: The events that the server emits.
    """

    def __init__(
        self,
        *,
        app: FastAPI | None = None,
        strict: bool = False,
        translate_error: Callable[[Exception], Exception | None] = lambda _: None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.app = app
        self.strict = strict
        self.translate_error = translate_error
        self.declared_events = EventRegistry()
        self.declare_events({"error": ErrorBody}, namespace=ANY_NAMESPACE)
        self.middlewares: list[Middleware] = []
        self.begin_event: BeginEvent = lambda _event: lambda _code, _seconds: None
        self._events: dict[tuple[str, str], SocketEvent] = {}

    def asgi(self, app: FastAPI, path: str = "/socket.io") -> socketio.ASGIApp:
        """Wrap an application with the server.

        The result must be the outermost ASGI application: `cors_allowed_origins` then decides about all Socket.IO
        requests, and no middleware adds a second CORS header. Lifespan events reach the application.
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
        """Register a handler: with injection as a decorator, in python-socketio's own style if `handler` is given.

        Args:
            event: The event's name, or `*` for all events without a handler of their own.
            handler: A function in python-socketio's own style.
            namespace: The event's namespace; `/` by default.
            dependencies: Run before the handler's own; their values are discarded.
            ordered: Whether each client's ordered events run one after the other, in the order in which they were sent.
            emits: The events that the handler emits in this namespace, with their payload types.

        Raises:
            UnresolvableParameterError: A parameter cannot be injected.
            ValueError: The event already has an injected handler, or an emitted event another payload type.
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
        """Register a handler for the event that has its name."""
        if handler is not None:
            return self.on(handler.__name__)(handler)
        return lambda function: self.on(function.__name__, namespace=namespace)(function)

    def middleware(self, function: M) -> M:
        """Wrap every event but connect and disconnect; the first registered is the outermost.

        `function` takes an `EventCall` and the function that runs it; it returns the ack, changes it, or raises.
        """
        self.middlewares.append(function)
        return function

    def authorization_check(self, function: F, namespace: str = "/") -> F:
        """Register an injected function that decides whether a client is still authorized: it raises code 1008 if not.

        It runs when a session is recovered, after the client has re-entered its rooms, and for all clients when this
        process may have missed messages of the others.
        """
        event = replace(compile_event("authorization_check", namespace, function), ack=None)
        self.clients.rechecks.add(namespace, Dispatch(self, event).check)
        return function

    async def disconnect_room(
        self, room: str | Sequence[str], *, except_room: str | None = None, namespace: str = "/"
    ) -> None:
        """Disconnect everyone in a room (or rooms), in every process, except those also in `except_room`.

        They first get an `error` event of code 1008.
        """
        await self.manager.disconnect_room(room, except_room, namespace)

    async def list_clients(self, room: str | None = None, limit: int = 1000) -> ClientList:
        """Find the clients in `room`, or all, in all processes: in the namespace `/`, at most `limit` of each process.

        Raises:
            RedisError: Redis failed or timed out.
        """
        found: ClientList = await self.manager.list_clients(room, limit)
        return found

    def expire(self, sid: str, seconds: float, namespace: str = "/") -> None:
        """Disconnect a client of this process after `seconds`, with an `error` event; replaces an earlier expiry."""
        self.clients.expire(sid, seconds, namespace)

    def renew(self, sid: str, auth: Any, namespace: str = "/") -> None:
        """Replace the `auth` payload of a client of this process: later events use the new authorization."""
        if connection := self.clients.find(sid, namespace):
            connection.renew(auth)

    def include_router(self, router: SocketRouter) -> None:
        """Register the events of a router."""
        for event in router.events:
            self._add(event)

    def register_namespace(self, namespace_handler: socketio.AsyncNamespace) -> None:
        """Register a class of handlers, and inject into its `on_…` methods.

        A class that overrides `trigger_event` gets no injection.
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

    def declare_events(self, payload_types: Mapping[str, Any], *, namespace: str = "/") -> None:
        """Declare events that are not emitted by a handler, with their payload types.

        Raises:
            ValueError: An event is already declared with another payload type.
        """
        self.declared_events.declare(payload_types, namespace)

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
        """Emit as `socketio.AsyncServer` does; the data may contain models, dates and the like at any depth.

        Raises:
            UndeclaredEventError: See `convert_event`.
        """
        payload = self.convert_event(event, data, namespace or "/")
        await super().emit(event, payload, to, room, skip_sid, namespace, **options)

    def convert_event(self, event: str, data: object, namespace: str = "/") -> Any:
        """Convert a payload for sending: of a declared event only what its type declares.

        Namespaces without injected handlers may send anything.

        Raises:
            UndeclaredEventError: The payload does not match the declared type; or the server is strict, and the event
                is undeclared, or its JSON form differs from that of the declared type.
        """
        if not any(namespace == known for known, _ in self._events):
            return to_wire(data)
        return self.declared_events.convert(event, data, namespace, strict=self.strict)

    @property
    def dependency_overrides(self) -> Mapping[Callable[..., Any], Callable[..., Any]]:
        """The application's."""
        return self.app.dependency_overrides if self.app else {}

    def _add(self, event: SocketEvent) -> None:
        key = event.namespace, event.name
        if key in self._events:
            raise ValueError(f"{event.name!r} in {event.namespace!r} has a handler: {self._events[key].handler!r}")
        self.declared_events.declare(event.emits, event.namespace, sender=event.name)
        self._events[key] = event
        dispatch = Dispatch(self, event)
        run = {"connect": dispatch.connect, "disconnect": dispatch.disconnect}.get(event.name, dispatch.event)
        super().on(event.name, run, event.namespace)
