"""A Socket.IO server that no client can exhaust: every limit of `Limits` is kept here."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from typing import Any

import structlog
from socketio import packet

from src.websockets.connection import Connection
from src.websockets.engine import transport
from src.websockets.engine.client import Client
from src.websockets.engine.engine import Engine, enveloped
from src.websockets.engine.manager import LocalManager
from src.websockets.engine.metrics import CLIENTS, DROPPED, REFUSED
from src.websockets.engine.recoverable_server import RecoverableServer
from src.websockets.errors import ErrorBody, throttled
from src.websockets.limits import Limits

log = structlog.get_logger(__name__)

_CLIENT = "socketio.client"
"""Where a handshake's environ keeps its client: it ends with the transport."""


class ProtocolError(Exception):
    """A client does what no Socket.IO client does."""


class RateLimitedServer(RecoverableServer):
    """A server with limits, and with an end for those who pass them.

    Args:
        limits: What a client may ask for.
        options: Those of `RecoverableServer`.
    """

    def __init__(self, *, limits: Limits | None = None, **options: Any) -> None:
        self.limits = limits or Limits()
        options.setdefault("max_http_buffer_size", self.limits.payload_bytes)
        options.setdefault("client_manager", LocalManager())
        super().__init__(async_mode="asgi", **options)
        self.eio.queued_packets = self.limits.queued_packets
        self.eio.queued_bytes = self.limits.queued_bytes
        self.eio.overflowed = lambda eio_sid: self._background(self.drop(eio_sid, "slow reader"))
        self._strangers: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def authorization(self, auth: Any) -> str | None:
        """Say which `Authorization` header the `auth` payload stands for; it replaces the handshake's own."""
        token = auth.get("token") if isinstance(auth, dict) else None
        return f"Bearer {token}" if isinstance(token, str) and token.isascii() else None

    def connection(self, environ: Mapping[str, Any], namespace: str) -> Connection:
        """Find the connection that a handshake opened to a namespace."""
        client: Client = environ[_CLIENT]
        return client.connections[namespace]

    async def drop(self, eio_sid: str, reason: str) -> None:
        """End a transport now, whatever it has not read."""
        socket = self.eio.sockets.get(eio_sid)
        if socket is not None and not socket.closed and not socket.closing:
            DROPPED.labels(reason).inc()
            log.info("client_dropped", reason=reason)
            await transport.abort(socket)

    async def dismiss(self, sid: str, body: ErrorBody, namespace: str = "/") -> None:
        """Tell a client of this process why, and end its connection to a namespace, and its transport with the last."""
        eio_sid = self.manager.eio_sid_from_sid(sid, namespace)
        if eio_sid is None or (environ := self.environ.get(eio_sid)) is None:
            return
        if not self.manager.is_connected(sid, namespace):
            self.connection(environ, namespace).dismissed = body  # its connect handler still runs
            return
        await self.emit("error", body, to=sid, namespace=namespace, ignore_queue=True)
        await self.disconnect(sid, namespace, ignore_queue=True)
        self._background(self._part(eio_sid))

    async def dismiss_room(self, room: str | Sequence[str], spare: str | None, namespace: str, body: ErrorBody) -> None:
        """Dismiss the clients of this process that are in `room`, but for those in `spare`."""
        spared = dict(self.manager.get_participants(namespace, spare)) if spare else {}
        for sid, _ in list(self.manager.get_participants(namespace, room)):
            if sid not in spared:
                await self.dismiss(sid, body, namespace)

    def resume(self) -> None:
        """The other processes are heard again: what they said meanwhile about this one's clients is not known."""
        self._background(self.recheck_clients())

    async def shutdown(self) -> None:
        """Close every transport, once its disconnect handlers are done; then let running events end, for a while."""
        self._closing = True
        for socket in list(self.eio.sockets.values()):
            await transport.close(socket)
        if running := list(self._tasks):
            _, late = await asyncio.wait(running, timeout=self.limits.drain_seconds)
            for task in late:
                task.cancel()
        await self.manager.aclose()
        if self.eio.service_task_handle is not None:  # python-socketio fails when there is none any more
            await super().shutdown()
        self._closing = False

    def _engineio_server_class(self) -> type[Engine]:
        return Engine

    async def _handle_eio_connect(self, eio_sid: str, environ: dict[str, Any]) -> bool | None:
        """Take in a stranger, who has to be accepted by a namespace soon; refuse one too many."""
        if self._closing or len(self._strangers) >= self.limits.strangers:
            return False
        environ[_CLIENT] = Client(self.limits, self._tasks)
        await super()._handle_eio_connect(eio_sid, environ)
        CLIENTS.inc()
        self._estrange(eio_sid)
        return None

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        environ = self.environ.get(eio_sid)
        self._binary_packet.pop(eio_sid, None)
        if environ is None:
            return
        CLIENTS.dec()
        try:
            await super()._handle_eio_disconnect(eio_sid, reason)
        finally:
            self._strangers.discard(eio_sid)  # last: leaving its namespaces makes it one
            environ[_CLIENT].close()

    async def _handle_eio_message(self, eio_sid: str, data: Any) -> None:
        """Drop a client that breaks the protocol: what fails here is its packet, since handlers are run elsewhere."""
        if eio_sid not in self.environ:
            return
        try:
            await super()._handle_eio_message(eio_sid, data)
            pending = self._binary_packet.get(eio_sid)
            if pending is not None and not 0 < pending.attachment_count <= self.limits.attachments:
                raise ProtocolError("too many attachments")
        except Exception as error:
            log.info("protocol_broken", reason=str(error), exc_info=not isinstance(error, (ProtocolError, ValueError)))
            await self.drop(eio_sid, "protocol")

    async def _handle_connect(self, eio_sid: str, namespace: str | None, data: Any) -> None:
        """Remember who introduces themselves; close the transport of a client that no namespace accepts."""
        namespace = namespace or "/"
        environ = self.environ[eio_sid]
        client: Client = environ[_CLIENT]
        if not client.bucket.take():
            await self.drop(eio_sid, "flood")
            return
        if self.manager.sid_from_eio_sid(eio_sid, namespace) is None:  # a second CONNECT must not change the identity
            client.connections[namespace] = Connection(environ["asgi.scope"], data, self.authorization)
        await super()._handle_connect(eio_sid, namespace, data)
        sid, dismissed = self.manager.sid_from_eio_sid(eio_sid, namespace), client.connections[namespace].dismissed
        if sid is not None and dismissed:  # after its connect handler, and before it was there to be told
            await self.dismiss(sid, dismissed, namespace)
        if self._is_accepted(eio_sid):
            self._strangers.discard(eio_sid)
            client.commit_invalidation()
        else:
            self._background(self._part(eio_sid))

    async def _handle_disconnect(self, eio_sid: str, namespace: str | None, reason: str | None = None) -> None:
        await super()._handle_disconnect(eio_sid, namespace, reason)
        if eio_sid in self.environ and not self._is_accepted(eio_sid):
            self._estrange(eio_sid)

    async def _handle_event(self, eio_sid: str, namespace: str | None, id: int | None, data: Any) -> None:  # noqa: A002 - its base's name
        """Run an event if its client has not had too many; the reader never waits, for acks and pongs come by it."""
        namespace = namespace or "/"
        sid = self.manager.sid_from_eio_sid(eio_sid, namespace)
        if not self.manager.is_connected(sid, namespace):
            return
        if not isinstance(data, list) or not data or not isinstance(data[0], str) or data[0] in self.reserved_events:
            raise ProtocolError("not an event")
        client: Client = self.environ[eio_sid][_CLIENT]
        if client.bucket.take():
            client.run(partial(self._handle_event_internal, self, sid, eio_sid, data, namespace, id))
            return
        REFUSED.inc()
        if not client.patience.take():
            client.cancel()
            await self.drop(eio_sid, "flood")
            return
        body = throttled(data[0])
        answer = [body] if id is not None else ["error", body]
        kind = packet.ACK if id is not None else packet.EVENT
        await self._send_packet(eio_sid, self.packet_class(kind, namespace=namespace, id=id, data=answer))

    async def _send_packet(self, eio_sid: str, pkt: Any) -> None:
        self.eio.post(eio_sid, enveloped(pkt))

    def _estrange(self, eio_sid: str) -> None:
        """Give a transport without a namespace its time."""
        self._strangers.add(eio_sid)
        client: Client = self.environ[eio_sid][_CLIENT]
        client.commit_invalidation()
        client.deadline = asyncio.get_running_loop().call_later(
            self.limits.connect_seconds, lambda: self._background(self._part(eio_sid))
        )

    async def _part(self, eio_sid: str) -> None:
        """Close a transport once the client was told why, unless it found another namespace meanwhile."""
        if socket := self.eio.sockets.get(eio_sid):
            await transport.deliver(socket)
            if not self._is_accepted(eio_sid):
                await transport.close(socket)
                await transport.deliver(socket)
                if not socket.queue.empty():  # the client reads nothing
                    await transport.abort(socket)

    def _is_accepted(self, eio_sid: str) -> bool:
        return any(self.manager.sid_from_eio_sid(eio_sid, name) for name in list(self.manager.get_namespaces()))

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
