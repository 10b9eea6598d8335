import asyncio
from collections.abc import Iterable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import socketio
import structlog
from engineio.payload import Payload
from socketio.packet import ACK, EVENT

from src.utils.termination import on_termination
from src.websockets.engine.clients import Clients
from src.websockets.engine.connection import Client
from src.websockets.engine.delivery import encode
from src.websockets.engine.metrics import CLIENTS, REFUSED
from src.websockets.engine.overrides.engine import Engine
from src.websockets.engine.overrides.local_manager import LocalManager
from src.websockets.engine.overrides.packet import StrictPacket
from src.websockets.engine.rate_limiter import Decision
from src.websockets.engine.tasks import BackgroundTasks
from src.websockets.engine.unauthenticated import UnauthenticatedConnections
from src.websockets.errors import throttled
from src.websockets.limits import Limits

log = structlog.get_logger(__name__)

_reasons = socketio.AsyncServer.reason
_NETWORK_FAILURES = {_reasons.TRANSPORT_CLOSE, _reasons.TRANSPORT_ERROR, _reasons.PING_TIMEOUT}


class ProtocolError(Exception):
    """A client sent what no Socket.IO client sends."""


class LimitedServer(socketio.AsyncServer):  # type: ignore[misc]  # its base is untyped
    """`socketio.AsyncServer` with limits on transports, packets and events.

    Args:
        limits: Per client and per process.
        options: Those of `socketio.AsyncServer`.

    Attributes:
        clients: Finds and ends connections.
    """

    def __init__(self, limits: Limits, **options: Any) -> None:
        self.limits = limits
        options.setdefault("max_http_buffer_size", limits.payload_bytes)
        options.setdefault("client_manager", LocalManager())
        if options.get("serializer", "default") == "default":
            options["serializer"] = StrictPacket
        if not isinstance(options["client_manager"], LocalManager):
            raise ValueError("client_manager must be a LocalManager, such as RedisManager.")
        # Engine.IO's limit is one for the whole process.
        Payload.max_decode_packets = max(Payload.max_decode_packets, limits.packets_per_request)
        super().__init__(**options | {"async_mode": "asgi"})
        self._tasks = BackgroundTasks()
        self.clients = Clients(self, self._tasks)
        self._unauthenticated = UnauthenticatedConnections(
            limits.unauthenticated_connections,
            limits.unauthenticated_per_address,
            limits.connect_seconds,
            lambda eio_sid: self._tasks.start(self.clients.close_unauthenticated(eio_sid)),
        )
        self._shutting_down = False
        self.eio.limits = limits
        self.eio.on_overflow = lambda eio_sid: self._tasks.start(self.clients.drop(eio_sid, "slow reader"))

    def closes_polls_early(self) -> AbstractContextManager[None]:
        """While entered, SIGTERM and SIGINT save and end polling sessions.

        Web servers wait for open requests before they shut the application down, and a poll takes up to 25 seconds.
        """
        return on_termination(lambda: self._tasks.start(self._close_polls()))

    async def _close_polls(self) -> None:
        self._shutting_down = True
        await self._close(eio_sid for eio_sid, socket in list(self.eio.sockets.items()) if not socket.upgraded)

    async def close_transports(self) -> None:
        """Save all sessions, then tell their clients to leave: web servers close websockets before that.

        A client that returned elsewhere before its session is saved would have to begin a new one.
        """
        self._shutting_down = True
        await self._close(list(self.eio.sockets))

    async def _close(self, eio_sids: Iterable[str]) -> None:
        await asyncio.gather(*(self.eio.close_transport(eio_sid, wait=False) for eio_sid in eio_sids))

    def _engineio_server_class(self) -> type[Engine]:
        """python-socketio's own engine has unbounded queues."""
        return Engine

    async def _handle_eio_connect(self, eio_sid: str, environ: dict[str, Any]) -> bool | None:
        """Reject transports during shutdown, and limit the unauthenticated ones."""
        if self._shutting_down:
            return False
        Client(self.limits, self._tasks).attach(environ)
        await super()._handle_eio_connect(eio_sid, environ)
        self.eio.watch_requests(eio_sid)
        CLIENTS.inc()
        self._limit_unauthenticated(eio_sid)
        return None

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        """Free what belongs to the transport."""
        environ = self.environ.get(eio_sid)
        self._binary_packet.pop(eio_sid, None)
        if environ is None:
            return
        CLIENTS.dec()
        if self._is_recoverable(reason):
            Client.of(environ).polled = self.eio.take_unpolled(eio_sid)
        try:
            await super()._handle_eio_disconnect(eio_sid, reason)
        finally:
            self._unauthenticated.remove(eio_sid)  # last: leaving its namespaces makes it unauthenticated
            Client.of(environ).close()

    async def _handle_eio_message(self, eio_sid: str, data: Any) -> None:
        """Drop a client that breaks the protocol; handlers run elsewhere, so any error here is its packet's."""
        if eio_sid not in self.environ:
            return
        try:
            await super()._handle_eio_message(eio_sid, data)
            pending = self._binary_packet.get(eio_sid)
            if pending is not None and not 0 < pending.attachment_count <= self.limits.attachments:
                raise ProtocolError("too many attachments")
        except Exception as error:
            log.info("protocol_error", reason=str(error), exc_info=not isinstance(error, (ProtocolError, ValueError)))
            await self.clients.drop(eio_sid, "protocol")

    async def _handle_event(self, eio_sid: str, namespace: str | None, id: int | None, data: Any) -> None:  # noqa: A002 - its base's name
        """Validate, apply the rate limit, and queue the event: the reader must stay free for acks and pongs."""
        namespace = namespace or "/"
        sid = self.manager.sid_from_eio_sid(eio_sid, namespace)
        if not self.manager.is_connected(sid, namespace):
            return
        if not isinstance(data, list) or not data or not isinstance(data[0], str) or data[0] in self.reserved_events:
            raise ProtocolError("not an event")
        client = Client.of(self.environ[eio_sid])
        match client.rate_limiter.check_event():
            case Decision.ACCEPT:
                client.events.run(partial(self._handle_event_internal, self, sid, eio_sid, data, namespace, id))
            case Decision.REJECT:
                REFUSED.inc()
                body = throttled(data[0])
                type_, answer = (EVENT, ["error", body]) if id is None else (ACK, [body])
                await self._send_packet(eio_sid, self.packet_class(type_, answer, namespace=namespace, id=id))
            case Decision.DROP_CLIENT:
                REFUSED.inc()
                client.events.cancel()
                await self.clients.drop(eio_sid, "flood")

    async def _send_packet(self, eio_sid: str, pkt: Any) -> None:
        """python-socketio sends a packet and its attachments one by one, each with a task."""
        self.eio.post(eio_sid, encode(pkt))

    def _limit_unauthenticated(self, eio_sid: str) -> None:
        """Start the time of a transport that no namespace accepts."""
        self._unauthenticated.add(eio_sid, self.environ[eio_sid]["REMOTE_ADDR"])

    def _is_recoverable(self, reason: str | None) -> bool:
        return self._shutting_down or reason in _NETWORK_FAILURES
