"""Runs one registered handler: validates the payload, injects dependencies, acknowledges, and reports errors."""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn, Protocol

from fastapi import FastAPI
from pydantic_core import PydanticSerializationError
from socketio.exceptions import ConnectionRefusedError as ConnectionRefused

from src.utils.deadline import Deadline
from src.utils.wire import to_wire
from src.websockets.compiled_event import SocketEvent
from src.websockets.engine.clients import Clients
from src.websockets.engine.metrics import EVENT_SECONDS
from src.websockets.errors import UNEXPECTED, ErrorBody, describe, refused
from src.websockets.limits import Limits

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EventCall:
    """An event that is about to run, as a middleware sees it."""

    event: str
    namespace: str
    sid: str
    arguments: Sequence[Any]


Middleware = Callable[[EventCall, Callable[[], Awaitable[Any]]], Awaitable[Any]]
"""Takes the event and the function that runs it; returns the ack. Its exceptions are reported like a handler's."""


EndEvent = Callable[[int, float], object]
"""Called when an event has ended, with the code of its error, or 0, and its duration in seconds."""
BeginEvent = Callable[[str], EndEvent]
"""Called with the name of an event that begins, in the context that it runs in."""


class DispatchServer(Protocol):
    """What `Dispatch` uses of the server."""

    app: FastAPI | None
    limits: Limits
    clients: Clients
    middlewares: list[Middleware]
    translate_error: Callable[[Exception], Exception | None]
    begin_event: BeginEvent

    @property
    def dependency_overrides(self) -> Mapping[Callable[..., Any], Callable[..., Any]]:
        """The application's replacements for dependencies."""

    def get_environ(self, sid: str, namespace: str) -> dict[str, Any] | None:
        """The handshake of a client of this process."""

    async def emit(self, event: str, data: Any, *, to: str, namespace: str, ignore_queue: bool) -> None:
        """Send an event."""


class Dispatch:
    """Adapts one registered handler to python-socketio.

    `event`, `connect` and `disconnect` take python-socketio's arguments: the event's name if the handler listens to
    `*`, the namespace if it listens to all of them, the session id, and the arguments of the event. They raise nothing
    but `ConnectionRefused`: after a `TypeError` python-socketio would run the handler again in an older calling style.
    """

    def __init__(self, server: DispatchServer, event: SocketEvent) -> None:
        self._server = server
        self._event = event
        self._arity = len(event.plan.signature.parameters)
        self._takes_any = "arguments" in event.plan.specials
        self._deadline = Deadline(server.limits.event_seconds)
        self._metrics: dict[int, Any] = {}

    async def event(self, *args: Any) -> Any:
        """Run an event; the result becomes the ack, if the client asked for one."""
        name, namespace, sid, *sent = self._split(args)
        environ = self._server.get_environ(sid, namespace)
        if environ is None:  # the client left while its event was queued
            return None
        started, code = time.perf_counter(), 0
        end = self._server.begin_event(name)
        try:
            run: Callable[[], Awaitable[Any]] = partial(
                self._run_in_order if self._event.ordered else self._run, sent, name, namespace, sid, environ
            )
            for middleware in reversed(self._server.middlewares):
                run = partial(middleware, EventCall(name, namespace, sid, sent), run)
            with self._deadline.limit():
                result = await run()
            is_wire = self._event.ack is not None and not self._server.middlewares  # `_run` has converted it
            return result if is_wire else to_wire(result)
        except Exception as error:
            body = self._report(error, name)
            code = body["code"]
            await self._server.emit("error", body, to=sid, namespace=namespace, ignore_queue=True)
            return body
        finally:
            seconds = time.perf_counter() - started
            self._seconds(code).observe(seconds)
            end(code, seconds)

    async def connect(self, *args: Any) -> None:
        """Accept a client, or refuse it for any exception and for False."""
        name, namespace, sid, environ, *auth = self._split(args)
        sent = auth if self._arity else ()
        try:
            with self._deadline.limit():
                accepted = await self._run(sent, name, namespace, sid, environ)
        except ConnectionRefused:
            raise
        except Exception as error:
            if isinstance(error, ConnectionRefusedError) and self._server.translate_error(error) is None:
                raise  # a refusal, as in python-socketio; raised by a store it means 503
            _refuse(self._report(error, name), error)
        if accepted is False:
            _refuse(refused(name))
        if dismissed := self._server.clients.connection(environ, namespace).dismissed:
            _refuse(dismissed)

    async def disconnect(self, *args: Any) -> None:
        """Tell the handler why the client left; its errors are only logged."""
        name, namespace, sid, reason = self._split(args)
        environ = self._server.get_environ(sid, namespace)
        if environ is None:
            return
        self._server.clients.connection(environ, namespace).close()
        try:
            await self._run((), name, namespace, sid, environ, reason)
        except Exception:
            logger.exception("The disconnect handler of %s failed", namespace)

    async def check(self, sid: str) -> int | None:
        """Run the handler without an event; returns the code of its error, or None."""
        event = self._event
        environ = self._server.get_environ(sid, event.namespace)
        if environ is None:
            return None
        try:
            await self._run((), event.name, event.namespace, sid, environ)
        except Exception as error:
            return self._report(error, event.name)["code"]
        return None

    async def _run_in_order(
        self, sent: Sequence[Any], name: str, namespace: str, sid: str, environ: dict[str, Any]
    ) -> Any:
        """Run when the client's earlier ordered events are done."""
        async with self._server.clients.connection(environ, namespace).ordered_event:
            return await self._run(sent, name, namespace, sid, environ)

    async def _run(
        self,
        sent: Sequence[Any],
        event: str,
        namespace: str,
        sid: str,
        environ: dict[str, Any],
        reason: str | None = None,
    ) -> Any:
        server = self._server
        connection = server.clients.connection(environ, namespace)
        result = await self._event.plan.run(
            sent[: self._arity] if self._takes_any else sent,
            specials={
                "server": server,
                "event": event,
                "namespace": namespace,
                "sid": sid,
                "environ": environ,
                "auth": connection.auth,
                "arguments": sent,
                "reason": reason,
            },
            connection=lambda: connection.request(event, namespace, server.app),
            overrides=server.dependency_overrides,
        )
        return result if self._event.ack is None else self._event.ack.convert(result)

    def _report(self, error: Exception, event: str) -> ErrorBody:
        """Build the error body for the client; log unexpected errors."""
        translated = self._server.translate_error(error) or error
        try:
            body: ErrorBody = to_wire(describe(translated, event))
        except PydanticSerializationError as unserializable:
            error, body = unserializable, describe(unserializable, event)
        if body["code"] == UNEXPECTED:
            logger.error("The handler of %s failed", event, exc_info=error)
        return body

    def _seconds(self, code: int) -> Any:
        """The metric of this event, looked up once for each code."""
        if code not in self._metrics:
            self._metrics[code] = EVENT_SECONDS.labels(self._event.name, code)
        return self._metrics[code]

    def _split(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Prepend name and namespace, which python-socketio passes to catch-all handlers only."""
        name, namespace = self._event.name, self._event.namespace
        if namespace != "*":
            return (args[0], namespace, *args[1:]) if name == "*" else (name, namespace, *args)
        return args if name == "*" else (name, *args)


def _refuse(body: ErrorBody, cause: Exception | None = None) -> NoReturn:
    raise ConnectionRefused(body["message"], body) from cause
