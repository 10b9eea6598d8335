"""Run one registered event: plan, then ack; or the error, as both ack and event."""

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from pydantic_core import PydanticSerializationError
from socketio.exceptions import (
    ConnectionRefusedError as Refusal,
)

from src.utils.wire import to_wire
from src.websockets.engine.metrics import EVENT_SECONDS
from src.websockets.errors import UNEXPECTED, ErrorBody, describe, refused
from src.websockets.registry import SocketEvent

if TYPE_CHECKING:
    from src.websockets.server import AsyncServer

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EventCall:
    """One event on its way to its handler, as a middleware sees it."""

    event: str
    namespace: str
    sid: str
    arguments: Sequence[Any]


Middleware = Callable[[EventCall, Callable[[], Awaitable[Any]]], Awaitable[Any]]
"""Gets the event and what runs it; returns the ack. An exception is told to the client as a handler's is."""


class Dispatch:
    """Stands between python-socketio and one handler.

    Its methods take python-socketio's arguments: the event's name when the handler listens to `*`, the namespace when
    it listens to all of them, the session id, and what the event brought. They raise nothing but `Refusal`: a
    `TypeError` would make python-socketio run the handler again in an older calling style.
    """

    def __init__(self, server: "AsyncServer", event: SocketEvent) -> None:
        self.server = server
        self.plan = event.plan
        self.name = event.name
        self.namespace = event.namespace
        self.arity = len(event.plan.signature.parameters)
        self.ordered = event.ordered
        self._metrics: dict[int, Any] = {}
        self.takes_any = "arguments" in event.plan.specials

    async def event(self, *args: Any) -> Any:
        """Answer an event; what is returned becomes the ack, if the client asked for one."""
        name, namespace, sid, *sent = self._split(args)
        environ = self.server.get_environ(sid, namespace)
        if environ is None:  # the client left while its event waited to run
            return None
        started, code = time.perf_counter(), 0
        try:
            run: Callable[[], Awaitable[Any]] = partial(
                self._in_turn if self.ordered else self._run, sent, name, namespace, sid, environ
            )
            for middleware in reversed(self.server.middlewares):
                run = partial(middleware, EventCall(name, namespace, sid, sent), run)
            return to_wire(await run())
        except Exception as error:
            body = self._tell(error, name)
            code = body["code"]
            await self.server.emit("error", body, to=sid, namespace=namespace, ignore_queue=True)
            return body
        finally:
            self._seconds(code).observe(time.perf_counter() - started)

    async def _in_turn(self, sent: Sequence[Any], name: str, namespace: str, sid: str, environ: dict[str, Any]) -> Any:
        """Run when the client's earlier ordered events are done."""
        async with self.server.connection(environ, namespace).turn:
            return await self._run(sent, name, namespace, sid, environ)

    def _seconds(self, code: int) -> Any:
        """The metric of this event, looked up once for each outcome."""
        if code not in self._metrics:
            self._metrics[code] = EVENT_SECONDS.labels(self.name, code)
        return self._metrics[code]

    async def connect(self, *args: Any) -> None:
        """Accept a client, or refuse it for any exception and for False."""
        name, namespace, sid, environ, *auth = self._split(args)
        sent = auth if self.arity else ()
        try:
            accepted = await self._run(sent, name, namespace, sid, environ)
        except Refusal:
            raise
        except Exception as error:
            _refuse(self._tell(error, name), error)
        if accepted is False:
            _refuse(refused(name))
        if dismissed := self.server.connection(environ, namespace).dismissed:
            _refuse(dismissed)

    async def disconnect(self, *args: Any) -> None:
        """Tell the handler why the client left; nobody is there to be told of an error."""
        name, namespace, sid, reason = self._split(args)
        environ = self.server.get_environ(sid, namespace)
        self.server.connection(environ, namespace).close()
        try:
            await self._run((), name, namespace, sid, environ, reason)
        except Exception:
            logger.exception("The disconnect handler of %s failed", namespace)

    async def complaint(self, sid: str) -> int | None:
        """The code of the error that the handler raises about a client of whom nothing has come."""
        environ = self.server.get_environ(sid, self.namespace)
        if environ is None:
            return None
        try:
            await self._run((), self.name, self.namespace, sid, environ)
        except Exception as error:
            return self._tell(error, self.name)["code"]
        return None

    def _tell(self, error: Exception, event: str) -> ErrorBody:
        """Describe an error to the client, or to the log when it is the server's own."""
        meant = self.server.explain(error) or error
        try:
            body: ErrorBody = to_wire(describe(meant, event))
        except PydanticSerializationError as unsendable:
            error, body = unsendable, describe(unsendable, event)
        if body["code"] == UNEXPECTED:
            logger.error("The handler of %s failed", event, exc_info=error)
        return body

    def _split(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Put name and namespace in front, where python-socketio gives them to catch-all handlers only."""
        if self.namespace != "*":
            return (args[0], self.namespace, *args[1:]) if self.name == "*" else (self.name, self.namespace, *args)
        return args if self.name == "*" else (self.name, *args)

    async def _run(
        self,
        sent: Sequence[Any],
        event: str,
        namespace: str,
        sid: str,
        environ: dict[str, Any],
        reason: str | None = None,
    ) -> Any:
        server = self.server
        connection = server.connection(environ, namespace)
        return await self.plan.run(
            sent[: self.arity] if self.takes_any else sent,
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


def _refuse(body: ErrorBody, cause: Exception | None = None) -> NoReturn:
    raise Refusal(body["message"], body) from cause
