"""Every override of python-socketio and python-engineio, and every undocumented name of theirs that we use.

The first line of each override says why the library's own does not do. Decisions are made by the other files of this
folder; this one connects them. `server.AsyncServer` extends four documented methods as well: `on`, `event`,
`register_namespace` and `emit`. `tests/foreign/socketio.py` and `engineio.py` compare all names with the installed
versions.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import AbstractContextManager, aclosing, suppress
from copy import copy
from functools import partial
from types import SimpleNamespace
from typing import Any

import engineio
import socketio
import structlog
from engineio import json as engine_json
from engineio.async_drivers import asgi
from engineio.async_socket import AsyncSocket
from engineio.exceptions import EngineIOError
from engineio.packet import Packet
from engineio.payload import Payload
from socketio.async_pubsub_manager import AsyncPubSubManager
from socketio.exceptions import ConnectionRefusedError as ConnectionRefused
from socketio.packet import ACK, CONNECT, CONNECT_ERROR, EVENT
from socketio.packet import Packet as SocketIOPacket
from starlette.datastructures import Headers, QueryParams
from starlette.responses import Response

from src.core.realtime.event_bus import CHANNEL, EventBus, EventBusError, event_data
from src.utils.termination import on_termination
from src.utils.wire import dumps
from src.websockets.engine.clients import Clients
from src.websockets.engine.connection import Client, Connection
from src.websockets.engine.delivery import Delivery, ReturningClient, SendQueue, encode
from src.websockets.engine.metrics import CLIENTS, INVALID_MESSAGES, PUBLISH_FAILURES, REFUSED
from src.websockets.engine.options import check_options
from src.websockets.engine.rate_limiter import Decision
from src.websockets.engine.subscriber import Subscriber
from src.websockets.engine.tasks import BackgroundTasks
from src.websockets.engine.unauthenticated import UnauthenticatedConnections
from src.websockets.engine.websocket_loops import WebSocketLoops
from src.websockets.errors import throttled
from src.websockets.limits import Limits
from src.websockets.presence import RoomPresence
from src.websockets.recovery import RecoverableSession, SessionRecovery

log = structlog.get_logger(__name__)

_FLUSH_SECONDS = 2
_CLOSE_SECONDS = 1
_UNREAD_SECONDS = 3
_LAG_SECONDS = 1
_ENGINE_LOOPS = AsyncSocket._websocket_handler
# What Engine.IO and its JSON parser raise for invalid packets.
_PROTOCOL_ERRORS = ValueError, IndexError, RecursionError, EngineIOError
_reasons = socketio.AsyncServer.reason
_NETWORK_FAILURES = {_reasons.TRANSPORT_CLOSE, _reasons.TRANSPORT_ERROR, _reasons.PING_TIMEOUT}


class ProtocolError(Exception):
    """A client sent what no Socket.IO client sends."""


class StrictPacket(SocketIOPacket):  # type: ignore[misc]  # its base is untyped
    """python-socketio writes NaN and infinities, which are not JSON: clients cannot parse the packet."""

    json = SimpleNamespace(dumps=dumps, loads=engine_json.loads)


class WebSocket(asgi.WebSocket):  # type: ignore[misc]  # its base is untyped
    """A websocket served by `WebSocketLoops`, which can be aborted while the client reads nothing.

    Engine.IO's loops still serve clients that polled first, since they know the upgrade, and sockets that the Admin UI
    instruments.
    """

    def __init__(self, handler: Any, server: Any) -> None:
        """Engine.IO passes the bound `AsyncSocket._websocket_handler`, which is the only way to its socket."""
        super().__init__(handler, server)
        self.handler = handler
        self._socket = handler.__self__
        self._socket.websocket = self
        self._engine_tasks: dict[str, asyncio.Task[Any] | None] = {}
        self._loops = WebSocketLoops(
            self._socket.queue,
            lambda data: self._socket.receive(Packet(encoded_packet=data)),
            self.close,
            protocol_errors=_PROTOCOL_ERRORS,
            max_bytes=server.max_http_buffer_size,
            silence_seconds=server.ping_interval + server.ping_timeout,
        )

    async def __call__(self, environ: dict[str, Any]) -> str:
        """Engine.IO's loops start several tasks for each packet."""
        if not self._socket.connected and getattr(self.handler, "__func__", None) is _ENGINE_LOOPS:
            self._socket.connected = self._socket.upgraded = True
            self.handler = self._serve
        try:
            return str(await super().__call__(environ))
        except _PROTOCOL_ERRORS:  # from Engine.IO's loops; a client whose upgrade failed goes on polling
            self._socket.upgrading = False
            if self._socket.upgraded:
                await self._socket.server.abort(self._socket)
            await self.close()
            return ""

    async def _serve(self, _: Any) -> None:
        reason = _reasons.TRANSPORT_CLOSE
        try:
            await self._loops.run(self.asgi_receive, self.asgi_send)
        except TimeoutError:
            reason = _reasons.PING_TIMEOUT
        finally:
            await self._socket.close(wait=False, abort=True, reason=reason)
            self._socket.ping.cancel()

    async def wait(self) -> Any:
        """Engine.IO's reader can only be aborted through its task."""
        self._engine_tasks["reader"] = asyncio.current_task()
        return await super().wait()

    async def send(self, message: Any) -> None:
        """Engine.IO's writer can only be aborted through its task."""
        self._engine_tasks["writer"] = asyncio.current_task()
        await super().send(message)

    async def close(self) -> None:
        """Engine.IO waits without limit for a client that reads nothing."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await super().close()

    def abort(self) -> None:
        """End both directions; the transport then ends as after a network failure."""
        self._loops.abort()
        for task in self._engine_tasks.values():
            if task is not None:
                task.cancel()


class Engine(engineio.AsyncServer):  # type: ignore[misc]  # its base is untyped
    """`engineio.AsyncServer` with bounded send queues, and transports that can be closed by the server.

    Attributes:
        limits: Those of the send queues.
        on_overflow: Called with the id of a transport that reads too slowly.
    """

    limits: Limits
    on_overflow: Callable[[str], None]

    def __init__(self, **options: Any) -> None:
        """The driver's table of classes has no public way to replace the websocket."""
        super().__init__(**options)
        self._async: dict[str, Any] = {**asgi._async, "websocket": WebSocket}

    def create_queue(self, *_args: Any, **_options: Any) -> SendQueue:
        """Engine.IO's queue is unbounded, and does not know its size in bytes."""
        return SendQueue()

    def start_background_task(self, target: Any, *args: Any, **options: Any) -> asyncio.Task[Any]:
        """A socket's next ping would wait for 25 seconds after the socket has ended: keep it as `socket.ping`."""
        task: asyncio.Task[Any] = super().start_background_task(target, *args, **options)
        socket = getattr(target, "__self__", None)
        if isinstance(socket, AsyncSocket):
            socket.ping = task
        return task

    async def handle_request(self, *args: Any) -> Any:
        """Engine.IO reads what is left of a POST that is too large, and all of one without a length, for ever."""
        scope, _, _ = args
        if scope["type"] == "http" and scope["method"] == "POST":
            length = Headers(scope=scope).get("content-length")
            if length is None or int(length) > self.max_http_buffer_size:
                await self.abort_transport(QueryParams(scope["query_string"]).get("sid", ""))
                return await Response(status_code=411 if length is None else 413)(*args)
        return await super().handle_request(*args)

    def watch_requests(self, sid: str) -> None:
        """Engine.IO logs invalid POST requests, and answers them with 200: answer 400, and close the transport."""
        socket = self.sockets[sid]
        socket.handle_get_request = partial(self._handle_get_request, socket)
        socket.handle_post_request = partial(self._handle_post_request, socket)

    async def _handle_get_request(self, socket: Any, environ: dict[str, Any]) -> Any:
        socket.send_response = environ["asgi.send"]
        return await AsyncSocket.handle_get_request(socket, environ)

    async def _handle_post_request(self, socket: Any, environ: dict[str, Any]) -> None:
        try:
            await AsyncSocket.handle_post_request(socket, environ)
        except _PROTOCOL_ERRORS as error:
            await self.abort(socket)
            self.sockets[socket.sid] = socket  # Engine.IO answers 400 if it knows the socket, and then forgets it
            raise EngineIOError("invalid request") from error

    async def _trigger_event(self, event: str, *args: Any, run_async: bool = False) -> Any:
        """Engine.IO wraps each message in a closure and swallows errors; ours handles its own."""
        if event == "message" and not run_async:
            return await self.handlers[event](*args)
        if event != "disconnect":
            return await super()._trigger_event(event, *args, run_async=run_async)
        loop, (sid, *_) = asyncio.get_running_loop(), args
        loop.call_later(_UNREAD_SECONDS, _abort_unread, getattr(self.sockets.get(sid), "send_response", None))
        try:
            return await super()._trigger_event(event, *args, run_async=run_async)
        finally:  # Engine.IO marks the socket as closed in this iteration of the loop; a POST to it would be a KeyError
            loop.call_soon(self.sockets.pop, sid, None)

    async def send_packet(self, sid: str, pkt: Any) -> None:
        """Engine.IO does not check the size of the queue."""
        self.post(sid, (pkt,))

    def post(self, sid: str, packets: Iterable[Any]) -> bool:
        """Queue packets, all of them or none, without waiting; returns False if the transport is gone."""
        socket = self.sockets.get(sid)
        if socket is None or socket.closed or socket.closing:
            return False
        queue: SendQueue = socket.queue
        for packet in packets:
            queue.put_nowait(packet)
        if queue.exceeds(self.limits):
            self.on_overflow(sid)
        return True

    def take_unpolled(self, sid: str) -> set[str]:
        """Discard what a polling client has not fetched; returns the offsets of the events."""
        socket = self.sockets.get(sid)
        return set() if socket is None or socket.upgraded else socket.queue.discard_all()

    async def flush(self, sid: str) -> None:
        """Wait until the client has read what is queued, 2 seconds at most."""
        if socket := self.sockets.get(sid):
            await self._flush(socket)

    async def close_transport(self, sid: str, *, wait: bool = True) -> None:
        """Run disconnect handlers and close the websocket or answer the poll; `wait` aborts it if it is not read."""
        if socket := self.sockets.get(sid):
            await socket.close(wait=False)
            await socket.queue.put(None)  # ends the writer, which closes the websocket
            if wait:
                await self._flush(socket)
                if not socket.queue.empty():
                    await self.abort(socket)

    async def abort_transport(self, sid: str, *, discard: bool = True) -> bool:
        """Close a transport now; returns whether it was open. A waiting poll gets what is queued without `discard`."""
        socket = self.sockets.get(sid)
        if socket is None or socket.closed or socket.closing:
            return False
        await self.abort(socket, discard=discard or socket.upgraded)
        return True

    async def abort(self, socket: Any, *, discard: bool = True) -> None:
        """Close the transport of a socket now."""
        await socket.close(wait=False, abort=True, reason=_reasons.SERVER_DISCONNECT)
        if discard:
            socket.queue.discard_all()
        await socket.queue.put(None)
        if (websocket := getattr(socket, "websocket", None)) is not None:
            websocket.abort()

    async def _flush(self, socket: Any) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(socket.queue.join(), _FLUSH_SECONDS)


def _abort_unread(send: Any) -> None:
    """ASGI cannot abort a connection, and uvicorn waits without limit, also at its end, for a client to read."""
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is not None and transport.get_write_buffer_size():
        transport.abort()


def _address(environ: dict[str, Any]) -> str:
    """The client's IP address; Engine.IO's `REMOTE_ADDR` is always the same."""
    client = environ["asgi.scope"].get("client")
    return client[0] if client else ""


class LocalManager(socketio.AsyncManager):  # type: ignore[misc]  # its base is untyped
    """Client manager of one process: tracks rooms, and delivers events to local clients."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.delivery = Delivery()

    @property
    def is_listening(self) -> bool:
        """Whether events of other processes arrive; there are none."""
        return True

    async def emit(self, event: str, data: Any, namespace: str, room: Any = None, **options: Any) -> None:
        """python-socketio starts a task for each recipient; without acks none is needed."""
        if options.get("callback"):
            await super().emit(event, data, namespace, room, **options)
        else:
            self.deliver(event, data, namespace, options.get("to") or room, options.get("skip_sid"))

    def deliver(
        self, event: str, data: Any, namespace: str, room: Any, skip_sid: Any, offset: str | None = None
    ) -> None:
        """Emit to the clients of this process; `offset` identifies the event for session recovery."""
        if namespace not in self.rooms:
            return
        skip = skip_sid if isinstance(skip_sid, list) else [skip_sid]
        if room is None:
            skip = [*skip, *self.delivery.pending_connects]
        packets, recipients = self._encode(event, data, namespace), self.get_participants(namespace, room)
        self.delivery.send(packets, recipients, self.server.eio.post, skip, offset)

    def release(self, sid: str, eio_sid: str, missed: list[dict[str, Any]]) -> None:
        """Send the missed events to a client that has returned, then the live events that waited for them."""
        events = [
            (self._encode(message["event"], event_data(message), message["namespace"]), message["offset"])
            for message in missed
        ]
        self.delivery.release(sid, eio_sid, events, self.server.eio.post)

    async def pre_connect(self, eio_sid: str, namespace: str, sid: str | None = None) -> Any:
        """python-socketio always generates a session id; a recovered session keeps its own, unless it is in use."""
        if sid is None or self.eio_sid_from_sid(sid, namespace) is not None:
            return await super().pre_connect(eio_sid, namespace)
        self.basic_enter_room(sid, namespace, None, eio_sid=eio_sid)
        self.basic_enter_room(sid, namespace, sid, eio_sid=eio_sid)
        self.pending_connect.setdefault(namespace, []).append(sid)
        return sid

    def basic_enter_room(self, sid: str, namespace: str, room: Any, eio_sid: str | None = None) -> None:
        """Recovery needs the time: earlier events of the room are not replayed."""
        super().basic_enter_room(sid, namespace, room, eio_sid)
        if room is None:
            return
        self.server.observe(sid, namespace, room, is_in=True)
        if sid in self.delivery.pending_connects:
            self.delivery.pending_connects[sid].add(room)
        if session := self.delivery.sessions.get(sid):
            session.enter(room)
            self.server.keep(session)

    def basic_leave_room(self, sid: str, namespace: str, room: Any) -> None:
        """Recovery forgets the room."""
        super().basic_leave_room(sid, namespace, room)
        if room is None:
            return
        self.server.observe(sid, namespace, room, is_in=False)
        if sid in self.delivery.pending_connects:
            self.delivery.pending_connects[sid].discard(room)
        if session := self.delivery.sessions.get(sid):
            session.leave(room)
            self.server.keep(session)

    def basic_disconnect(self, sid: str, namespace: str, **options: Any) -> None:
        """Forget the session before its rooms are left: the saved copy keeps them."""
        self.delivery.sessions.pop(sid, None)
        self.delivery.returning.pop(sid, None)
        super().basic_disconnect(sid, namespace, **options)

    async def disconnect_room(self, room: str | Sequence[str], except_room: str | None, namespace: str) -> None:
        """End the sessions of the clients in `room` (or rooms), except those also in `except_room`."""
        await self.server.clients.dismiss_room(room, except_room, namespace)

    async def prepare(self) -> None:
        """Called before a client connects."""

    async def aclose(self) -> None:
        """Stop background tasks."""

    def _encode(self, event: str, data: Any, namespace: str) -> list[Packet]:
        arguments = list(data) if isinstance(data, tuple) else [] if data is None else [data]
        return encode(self.server.packet_class(EVENT, namespace=namespace, data=[event, *arguments]))


class RedisManager(AsyncPubSubManager, LocalManager):  # type: ignore[misc]  # its base is untyped
    """Client manager that reaches the clients of other processes through an `EventBus`.

    Its own clients are served whatever Redis does, and callers wait for Redis a second at most. python-socketio's
    `AsyncRedisManager` speaks the same protocol, but waits for Redis without limit.
    """

    def __init__(self, bus: EventBus) -> None:
        """python-socketio generates `host_id`, but the bus builds messages; `thread` is missing until `initialize`."""
        super().__init__(channel=CHANNEL)
        self.host_id = bus.sender
        self.thread: asyncio.Task[None] | None = None
        self._bus = bus
        self._heard: str | None = None
        self._is_invalid_logged = False
        self._subscriber = Subscriber(bus, lambda: self.server.resume())

    @property
    def is_listening(self) -> bool:
        """Whether events of other processes arrive; True until there is a client to deliver them to."""
        return self._subscriber.is_listening

    def initialize(self) -> None:
        """Called with the first client: from now on events of other processes are needed."""
        self._subscriber.is_listening = False
        super().initialize()

    async def emit(self, event: str, data: Any, namespace: str, room: Any = None, **options: Any) -> None:
        """python-socketio's message has no `offset`, which recovery needs."""
        if options.get("callback") or options.get("ignore_queue"):
            await super().emit(event, data, namespace, room, **options)
            return
        room, skip_sid = options.get("to") or room, options.get("skip_sid")
        message = self._bus.build_emit(event, data, namespace, room, skip_sid, heard=self._heard)
        self.deliver(event, data, namespace, room, skip_sid, message["offset"])
        await self._publish(message)

    async def disconnect_room(self, room: str | Sequence[str], except_room: str | None, namespace: str) -> None:
        """Disconnect here, then in the other processes."""
        await super().disconnect_room(room, except_room, namespace)
        await self._publish(self._bus.build_disconnect(room, except_room, namespace))

    async def prepare(self) -> None:
        """The first client would miss what others emit before the process listens."""
        await self._subscriber.attempted()

    async def aclose(self) -> None:
        """Stop listening, and close the connections to Redis."""
        while self.thread is not None:
            self.thread.cancel()  # repeatedly: redis-py swallows a cancellation while it subscribes
            if (await asyncio.wait([self.thread], timeout=0.1))[0]:
                self.thread = None
        await self._bus.redis.aclose()

    async def _publish(self, data: dict[str, Any]) -> None:
        """Left to subclasses by python-socketio."""
        try:
            await self._bus.publish(data)
        except EventBusError:
            PUBLISH_FAILURES.inc()

    async def _listen(self) -> AsyncIterator[dict[str, Any]]:
        """Left to subclasses by python-socketio; handles our own `disconnect_room` message as well."""
        async with aclosing(self._subscriber.messages()) as messages:
            async for message in messages:
                try:
                    data: dict[str, Any] = self.json.loads(message)
                    is_ours = data["method"] == "disconnect_room"
                    if is_ours and data["host_id"] != self.host_id:
                        await super().disconnect_room(data["room"], data["except_room"], data["namespace"])
                except Exception as error:  # whatever it contains: the others are waited for
                    INVALID_MESSAGES.inc()
                    if not self._is_invalid_logged:
                        log.error("invalid_messages", channel=CHANNEL, reason=repr(error)[:200])
                    self._is_invalid_logged = True
                else:
                    if not is_ours:
                        yield data

    async def _handle_emit(self, message: dict[str, Any]) -> None:
        """python-socketio's ignores `offset`."""
        self._heard = message.get("offset") or self._heard
        if message.get("callback"):
            await super()._handle_emit(message)
            return
        namespace, room, skip_sid = message.get("namespace") or "/", message.get("room"), message.get("skip_sid")
        self.deliver(message["event"], event_data(message), namespace, room, skip_sid, message.get("offset"))


class SocketIOServer(socketio.AsyncServer):  # type: ignore[misc]  # its base is untyped
    """`socketio.AsyncServer` with limits, session recovery and connections that can be ended.

    Args:
        limits: Per client and per process.
        recovery: Where the sessions of broken connections are saved; None disables recovery.
        presence: Records who is in which room; None disables that.
        options: Those of `socketio.AsyncServer`.

    Raises:
        ValueError: An option is unknown or not supported.

    Attributes:
        clients: Finds and ends connections.
    """

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        recovery: SessionRecovery | None = None,
        presence: RoomPresence | None = None,
        **options: Any,
    ) -> None:
        self.limits = limits or Limits()
        check_options(options, has_recovery=recovery is not None)
        options.setdefault("max_http_buffer_size", self.limits.payload_bytes)
        options.setdefault("client_manager", LocalManager())
        if options.get("serializer", "default") == "default":
            options["serializer"] = StrictPacket
        if not isinstance(options["client_manager"], LocalManager):
            raise ValueError("client_manager must be a LocalManager, such as RedisManager.")
        # Engine.IO's limit is one for the whole process.
        Payload.max_decode_packets = max(Payload.max_decode_packets, self.limits.packets_per_request)
        super().__init__(**options | {"async_mode": "asgi"})
        self.recovery = recovery
        self.presence = presence
        self._tasks = BackgroundTasks()
        self.clients = Clients(self, self._tasks)
        self._unauthenticated = UnauthenticatedConnections(
            self.limits.unauthenticated_connections,
            self.limits.unauthenticated_per_address,
            self.limits.connect_seconds,
            lambda eio_sid: self._tasks.start(self.clients.close_unauthenticated(eio_sid)),
        )
        self._shutting_down = False
        self._keeping: dict[str, asyncio.Task[None]] = {}
        self.eio.limits = self.limits
        self.eio.on_overflow = lambda eio_sid: self._tasks.start(self.clients.drop(eio_sid, "slow reader"))

    def authorization(self, auth: Any) -> str | None:
        """Map the `auth` payload to an `Authorization` header, which replaces the handshake's own."""
        token = auth.get("token") if isinstance(auth, dict) else None
        return f"Bearer {token}" if isinstance(token, str) and token.isascii() else None

    def closes_polls_early(self) -> AbstractContextManager[None]:
        """While entered, SIGTERM and SIGINT save and end polling sessions.

        Web servers wait for open requests before they shut the application down, and a poll takes up to 25 seconds.
        """
        return on_termination(lambda: self._tasks.start(self._close_polls()))

    async def _close_polls(self) -> None:
        self._shutting_down = True
        polling = [eio_sid for eio_sid, socket in list(self.eio.sockets.items()) if not socket.upgraded]
        await asyncio.gather(*(self.eio.close_transport(eio_sid, wait=False) for eio_sid in polling))

    def resume(self) -> None:
        """Called by the manager after each subscription: ends of sessions, and events, may have been missed."""
        for session in self.manager.delivery.sessions.values():
            session.has_gap = True
            self.keep(session)
        self._tasks.start(self.clients.recheck())

    def keep(self, session: RecoverableSession) -> None:
        """Save the session of an open connection: this process may be killed."""
        if self.recovery and session.client_tracks_offset and self.manager.is_connected(session.sid, session.namespace):
            if "sessions" not in self._keeping:
                keeping = self.recovery.keep(self.manager.delivery.sessions.values)
                self._keeping["sessions"] = asyncio.create_task(keeping)
            self.recovery.store.mark(session)
            self._tasks.start(self.recovery.store.flush())

    def observe(self, sid: str, namespace: str, room: str, *, is_in: bool) -> None:
        """Record that a client has entered or left a room."""
        presence = self.presence
        if presence is None or namespace != "/":
            return
        connection = self.clients.find(sid, namespace) if is_in else None
        if presence.enter(room, sid, connection.auth) if connection else presence.leave(room, sid):
            if "presence" not in self._keeping:
                self._keeping["presence"] = asyncio.create_task(presence.keep())
            self._tasks.start(presence.flush())

    async def members(self, room: str) -> set[str]:
        """Find who is in a room, in all processes; `presence` says which rooms are recorded, and by which names.

        The members of a killed process are in it for 30 seconds more.

        Raises:
            RedisError: Redis failed or timed out.
            RuntimeError: The server has no `presence`.
        """
        if self.presence is None:
            raise RuntimeError("The server records nobody: create it with `presence`.")
        return await self.presence.members(room)

    async def enter_room(self, sid: str, room: str, namespace: str | None = None) -> None:
        """Return when the room is saved: a client that was told so is in it, even if this process is killed."""
        await super().enter_room(sid, room, namespace)
        await self._kept(sid)

    async def leave_room(self, sid: str, room: str, namespace: str | None = None) -> None:
        """Return when the rest of the rooms is saved."""
        await super().leave_room(sid, room, namespace)
        await self._kept(sid)

    async def _kept(self, sid: str) -> None:
        session = self.manager.delivery.sessions.get(sid)
        if self.recovery and session and session.client_tracks_offset:
            await self.recovery.store.flush()

    async def shutdown(self) -> None:
        """python-socketio leaves transports open and events running, and fails if it has never had a client."""
        self._shutting_down = True
        while self._keeping:
            self._keeping.popitem()[1].cancel()
        for eio_sid in list(self.eio.sockets):
            await self.eio.close_transport(eio_sid, wait=False)
        await self._tasks.drain(self.limits.drain_seconds)
        if self.presence:
            await self.presence.aclose()
        await self.manager.aclose()
        if self.eio.service_task_handle is not None:
            await super().shutdown()
        self._shutting_down = False

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
        self._unauthenticated.add(eio_sid, _address(environ))
        return None

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        """Free what belongs to the transport."""
        environ = self.environ.get(eio_sid)
        self._binary_packet.pop(eio_sid, None)
        if environ is None:
            return
        CLIENTS.dec()
        if self._is_recoverable(reason):
            Client.of(environ).unread = self.eio.take_unpolled(eio_sid)
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

    async def _handle_connect(self, eio_sid: str, namespace: str | None, data: Any) -> None:
        """Apply the rate limit, keep the `auth` payload, and close the transport if no namespace accepts the client."""
        namespace, environ = namespace or "/", self.environ[eio_sid]
        client = Client.of(environ)
        if not client.rate_limiter.accept_connect():
            await self.clients.drop(eio_sid, "flood")
            return
        if self.manager.sid_from_eio_sid(eio_sid, namespace) is None:  # a second CONNECT must not change the identity
            client.connections[namespace] = Connection(environ["asgi.scope"], data, self.authorization)
        await self.manager.prepare()
        if eio_sid not in self.environ:
            return
        connect = super()._handle_connect if self.always_connect else self._connect
        await connect(eio_sid, namespace, data)
        sid, dismissed = self.manager.sid_from_eio_sid(eio_sid, namespace), client.connections[namespace].dismissed
        if sid is not None and dismissed:  # after its connect handler, but before `dismiss` could reach it
            await self.clients.dismiss(sid, dismissed, namespace)
        if self.clients.is_accepted(eio_sid):
            self._unauthenticated.remove(eio_sid)
        else:
            self._tasks.start(self.clients.close_unauthenticated(eio_sid))

    async def _connect(self, eio_sid: str, namespace: str, data: Any) -> None:
        """In place of python-socketio's `_handle_connect`, which has no room for recovery before the CONNECT packet."""
        if not self._has_handlers(namespace) or self.manager.sid_from_eio_sid(eio_sid, namespace) is not None:
            await self._send_packet(eio_sid, self.packet_class(CONNECT_ERROR, "Unable to connect", namespace=namespace))
            return
        recovery, environ = self.recovery, self.environ[eio_sid]
        principal = recovery.principal(data) if recovery else None
        past = await self._take(data, namespace, principal)
        sid = await self.manager.pre_connect(eio_sid, namespace, past.sid if past else None)
        returning = self.manager.delivery.hold(past) if past and past.sid == sid else None
        rooms = self.manager.delivery.pending_connects[sid] = {sid}
        try:
            refusal = await self._run_connect_handler(namespace, sid, environ, data)
        finally:
            del self.manager.delivery.pending_connects[sid]
        if refusal is not None:
            await self._send_packet(eio_sid, self.packet_class(CONNECT_ERROR, refusal, namespace=namespace))
            await self.manager.disconnect(sid, namespace, ignore_queue=True)
            return
        answer, missed = {"sid": sid}, None
        if recovery and principal is not None:
            missed = await self._restore(recovery, returning) if returning else None
            if missed is None:
                session = RecoverableSession.start(sid, namespace, principal, data, recovery.bus.process, rooms)
                self.manager.delivery.sessions[sid] = session
            answer["pid"] = self.manager.delivery.sessions[sid].private_session_id
        await self._send_packet(eio_sid, self.packet_class(CONNECT, answer, namespace=namespace))
        await self.manager.connect(sid, namespace)
        if eio_sid not in self.environ:  # the client left meanwhile, before there was anybody to disconnect
            await self.manager.disconnect(sid, namespace, ignore_queue=True)
            return
        if returning:
            self.manager.release(sid, eio_sid, missed or [])
        if principal is not None:
            self.keep(self.manager.delivery.sessions[sid])

    async def _take(self, data: Any, namespace: str, principal: str | None) -> RecoverableSession | None:
        if self.recovery is None or principal is None:
            return None
        return await self.recovery.take(data, namespace, principal, self.eio.ping_interval + self.eio.ping_timeout)

    async def _restore(self, recovery: SessionRecovery, returning: ReturningClient) -> list[dict[str, Any]] | None:
        """Find the missed events, or discard the live events of the rooms that the client may not re-enter."""
        past = returning.session
        own = copy(returning.waiting)

        async def is_allowed() -> bool:
            return await self.clients.rechecks.allows(past.sid, past.namespace) and not returning.is_overrun

        missed = await recovery.restore(past, self, is_allowed)
        if missed is None:
            returning.waiting = own
        else:
            past.resume(recovery.bus.process)
        return missed

    async def _run_connect_handler(self, namespace: str, sid: str, environ: dict[str, Any], auth: Any) -> Any:
        """Return why the client is refused, or None."""
        try:
            try:
                accepted = await self._trigger_event("connect", namespace, sid, environ, auth)
            except TypeError:
                if auth:
                    raise
                accepted = await self._trigger_event("connect", namespace, sid, environ)  # it takes no `auth`
        except ConnectionRefused as error:
            return error.error_args
        except ConnectionRefusedError:
            return {"message": "Connection refused by server"}
        return ConnectionRefused().error_args if accepted is False else None

    def _is_recoverable(self, reason: str | None) -> bool:
        return self._shutting_down or reason in _NETWORK_FAILURES

    def _has_handlers(self, namespace: str) -> bool:
        known = self.namespaces == "*" or namespace in self.namespaces
        return known or namespace in self.handlers or namespace in self.namespace_handlers

    async def _handle_disconnect(self, eio_sid: str, namespace: str | None, reason: str | None = None) -> None:
        """Save the session if the network broke the connection, or the process stops."""
        namespace = namespace or "/"
        sid = self.manager.sid_from_eio_sid(eio_sid, namespace)
        session: RecoverableSession | None = self.manager.delivery.sessions.get(sid)
        if session and self.manager.is_connected(sid, namespace):  # else it is being recovered, and has its old rooms
            session.stop(Client.of(self.environ[eio_sid]).unread)
            del self.manager.delivery.sessions[sid]  # it is saved as it is now
        await super()._handle_disconnect(eio_sid, namespace, reason)
        if self.recovery and session and self._is_recoverable(reason):
            if not session.client_tracks_offset and reason == _reasons.PING_TIMEOUT:
                session.discard_recent(self.eio.ping_interval + self.eio.ping_timeout + _LAG_SECONDS)
            await self._tasks.create(self.recovery.store.save(session))  # in a task, for which `shutdown` waits
        elif self.recovery and session and session.client_tracks_offset:
            await self._tasks.create(self.recovery.store.forget(session))
        if eio_sid in self.environ and not self.clients.is_accepted(eio_sid):
            self._unauthenticated.add(eio_sid, _address(self.environ[eio_sid]))

    async def _handle_event(self, eio_sid: str, namespace: str | None, id: int | None, data: Any) -> None:  # noqa: A002 - its base's name
        """Validate and rate-limit; the event is queued, since the reader must go on for acks and pongs."""
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
