"""A Socket.IO server whose handlers are written like FastAPI's."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar, overload

import socketio
from fastapi import FastAPI, params

from src.utils.wire import to_wire
from src.websockets import transport
from src.websockets.connection import Connection
from src.websockets.dispatch import Dispatch
from src.websockets.registry import SocketEvent, compile_event
from src.websockets.router import SocketRouter

F = TypeVar("F", bound=Callable[..., Any])

_CONNECTIONS = "socketio.connections"
"""Where a handshake's environ keeps its connections by namespace: they end with the transport."""


class AsyncServer(socketio.AsyncServer):  # type: ignore[misc]  # its base is untyped
    """`socketio.AsyncServer` with dependency injection, validated payloads, acks and errors.

    Args:
        app: The application whose `dependency_overrides` and `state` the handlers share; `asgi` sets it as well.
        options: Those of `socketio.AsyncServer`.
    """

    def __init__(self, *, app: FastAPI | None = None, **options: Any) -> None:
        super().__init__(async_mode="asgi", **options)
        self.app = app
        self._dismissals: set[asyncio.Task[None]] = set()
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
    ) -> Any:
        """Register a handler: injected when used as a decorator, python-socketio's own way when `handler` is given.

        Raises:
            UnresolvableParameterError: A parameter can be supplied by nobody.
            ValueError: The event has an injected handler already.
        """
        if handler is not None:
            return super().on(event, handler, namespace)

        def register(function: F) -> F:
            self._add(compile_event(event, namespace or "/", function, dependencies))
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

    async def emit(self, event: str, data: Any = None, *args: Any, **kwargs: Any) -> None:
        """Emit as `socketio.AsyncServer` does; models, dates and the like may appear anywhere in the data."""
        await super().emit(event, to_wire(data), *args, **kwargs)

    async def shutdown(self) -> None:
        """Close every transport, once its disconnect handlers are done, and stop the background tasks."""
        for socket in list(self.eio.sockets.values()):
            await transport.close(socket)
        if self.eio.service_task_handle is not None:  # python-socketio fails when there is none any more
            await super().shutdown()

    def authorization(self, auth: Any) -> str | None:
        """Say which `Authorization` header the `auth` payload stands for; it replaces the handshake's own."""
        token = auth.get("token") if isinstance(auth, dict) else None
        return f"Bearer {token}" if isinstance(token, str) and token.isascii() else None

    def connection(self, environ: Mapping[str, Any], namespace: str) -> Connection:
        """Find the connection that a handshake opened to a namespace."""
        connection: Connection = environ[_CONNECTIONS][namespace]
        return connection

    @property
    def dependency_overrides(self) -> Mapping[Callable[..., Any], Callable[..., Any]]:
        """The application's replacements for dependencies."""
        return self.app.dependency_overrides if self.app else {}

    def _add(self, event: SocketEvent) -> None:
        key = event.namespace, event.name
        if key in self._events:
            raise ValueError(f"{event.name!r} in {event.namespace!r} has a handler: {self._events[key].handler!r}")
        self._events[key] = event
        dispatch = Dispatch(self, event)
        run = {"connect": dispatch.connect, "disconnect": dispatch.disconnect}.get(event.name, dispatch.event)
        super().on(event.name, run, event.namespace)

    async def _handle_connect(self, eio_sid: str, namespace: str | None, data: Any) -> None:
        """Remember who introduces themselves; close the transport of a client that no namespace accepts."""
        namespace = namespace or "/"
        if self.manager.sid_from_eio_sid(eio_sid, namespace) is None:  # a second CONNECT must not change the identity
            environ = self.environ[eio_sid]
            connection = Connection(environ["asgi.scope"], data, self.authorization)
            environ.setdefault(_CONNECTIONS, {})[namespace] = connection
        await super()._handle_connect(eio_sid, namespace, data)
        if not self._is_accepted(eio_sid):
            task = asyncio.create_task(self._dismiss(eio_sid))
            self._dismissals.add(task)
            task.add_done_callback(self._dismissals.discard)

    async def _dismiss(self, eio_sid: str) -> None:
        """Close a refused client's transport once it was told why, unless it found another namespace meanwhile."""
        if socket := self.eio.sockets.get(eio_sid):
            await transport.deliver(socket)
            if not self._is_accepted(eio_sid):
                await transport.close(socket)

    def _is_accepted(self, eio_sid: str) -> bool:
        return any(self.manager.sid_from_eio_sid(eio_sid, name) for name in list(self.manager.get_namespaces()))
