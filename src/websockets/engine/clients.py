"""The connected clients of this process: finds them, ends them, and rechecks their authorization."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

import socketio
import structlog

from src.websockets.engine.connection import Client, Connection
from src.websockets.engine.metrics import DROPPED
from src.websockets.engine.tasks import BackgroundTasks
from src.websockets.errors import DENIED, ErrorBody, ended

log = structlog.get_logger(__name__)

Check = Callable[[str], Awaitable[int | None]]
"""Takes a session id; returns the code of the error that ends the connection, or None."""

_RETRY_SECONDS = 1


class Rechecks:
    """Decides whether connected clients are still authorized, by one check for each namespace.

    Needed when a session is recovered, and when messages of other processes, such as the end of a login, may have been
    missed.
    """

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}

    def add(self, namespace: str, check: Check) -> None:
        """Set the check of a namespace."""
        self._checks[namespace] = check

    @property
    def namespaces(self) -> Iterable[str]:
        """Those that have a check."""
        return self._checks.keys()

    async def allows(self, sid: str, namespace: str) -> bool:
        """Whether a client is authorized; False if the check fails for another reason, such as a store that is down."""
        check = self._checks.get(namespace)
        return check is None or await check(sid) is None

    async def run(self, clients: Iterable[tuple[str, str]], end: Callable[[str, str], Awaitable[None]]) -> None:
        """Check clients, given as (namespace, session id), and `end` those that are denied.

        A check that fails for another reason is repeated every second.
        """
        pending = list(clients)
        while pending:
            results = [(await self._checks[namespace](sid), namespace, sid) for namespace, sid in pending]
            for code, namespace, sid in results:
                if code == DENIED:
                    await end(namespace, sid)
            pending = [(namespace, sid) for code, namespace, sid in results if code not in (None, DENIED)]
            if pending:
                await asyncio.sleep(_RETRY_SECONDS)


class Clients:
    """The clients of this process: finds their connections, and ends them.

    Args:
        server: Only its documented methods are used, those of its manager, and our own of its engine.
        tasks: Runs what is not waited for.

    Attributes:
        rechecks: By namespace, whether a client is still authorized.
    """

    def __init__(self, server: socketio.AsyncServer, tasks: BackgroundTasks) -> None:
        self.rechecks = Rechecks()
        self._server = server
        self._tasks = tasks

    def connection(self, environ: Mapping[str, Any], namespace: str) -> Connection:
        """Find the connection that a handshake opened to a namespace."""
        return Client.of(environ).connections[namespace]

    def find(self, sid: str, namespace: str) -> Connection | None:
        """Find a connection by its session id; None if it is gone, or belongs to another process."""
        environ = self._server.get_environ(sid, namespace)
        return None if environ is None else self.connection(environ, namespace)

    def is_accepted(self, eio_sid: str) -> bool:
        """Whether a transport is connected to a namespace."""
        manager = self._server.manager
        return any(manager.sid_from_eio_sid(eio_sid, name) for name in list(manager.get_namespaces()))

    async def drop(self, eio_sid: str, reason: str) -> None:
        """Close a transport now and discard what waits for its client; a flooding client still gets its errors."""
        if await self._server.eio.abort_transport(eio_sid, discard=reason != "flood"):
            DROPPED.labels(reason).inc()
            log.info("client_dropped", reason=reason)

    async def dismiss(self, sid: str, body: ErrorBody, namespace: str = "/") -> None:
        """Send an `error` event and disconnect a client of this process; its last namespace closes its transport."""
        server = self._server
        connection, eio_sid = self.find(sid, namespace), server.manager.eio_sid_from_sid(sid, namespace)
        if connection is None or eio_sid is None:
            return
        if not server.manager.is_connected(sid, namespace):
            connection.dismissed = body  # its connect handler still runs
            return
        await server.emit("error", body, to=sid, namespace=namespace, ignore_queue=True)
        await server.disconnect(sid, namespace, ignore_queue=True)
        self._tasks.start(self.close_unauthenticated(eio_sid))

    async def dismiss_room(self, room: str | Sequence[str], except_room: str | None, namespace: str) -> None:
        """Dismiss the clients of this process in `room`, except those also in `except_room`: their session ended."""
        participants = self._server.manager.get_participants
        excepted = dict(participants(namespace, except_room)) if except_room else {}
        for sid, _ in list(participants(namespace, room)):
            if sid not in excepted:
                await self.dismiss(sid, ended(), namespace)

    def expire(self, sid: str, seconds: float, namespace: str) -> None:
        """Dismiss a client after `seconds`; replaces an earlier expiry."""
        if connection := self.find(sid, namespace):
            connection.expire(seconds, lambda: self._tasks.start(self.dismiss(sid, ended(), namespace)))

    async def recheck(self) -> None:
        """Dismiss the clients of this process that are not authorized any more."""
        participants = self._server.manager.get_participants
        checked = [(name, sid) for name in self.rechecks.namespaces for sid, _ in participants(name, None)]
        await self.rechecks.run(checked, lambda namespace, sid: self.dismiss(sid, ended(), namespace))

    async def close_unauthenticated(self, eio_sid: str) -> None:
        """Let the client read what is queued, then close its transport unless a namespace has accepted it meanwhile."""
        await self._server.eio.flush(eio_sid)
        if not self.is_accepted(eio_sid):
            await self._server.eio.close_transport(eio_sid)
