import asyncio
from copy import copy
from typing import Any

from redis.exceptions import ConnectionError as RedisConnectionError
from socketio.exceptions import ConnectionRefusedError as ConnectionRefused
from socketio.packet import CONNECT, CONNECT_ERROR

from src.websockets.engine.connection import Client, Connection
from src.websockets.engine.delivery import ReturningClient
from src.websockets.engine.options import check_options
from src.websockets.engine.overrides.limited_server import LimitedServer
from src.websockets.limits import Limits
from src.websockets.presence import RoomPresence
from src.websockets.recovery import Messages, RecoverableSession, SessionRecovery

_LAG_SECONDS = 1


class SocketIOServer(LimitedServer):
    """`socketio.AsyncServer` with limits, session recovery and connections that can be ended.

    Args:
        limits: Per client and per process.
        recovery: Where the sessions of broken connections are saved; None disables recovery.
        presence: Records who is in which room; None disables that.
        options: Those of `socketio.AsyncServer`.

    Raises:
        ValueError: An option is unknown or not supported.
    """

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        recovery: SessionRecovery | None = None,
        presence: RoomPresence | None = None,
        **options: Any,
    ) -> None:
        check_options(options, has_recovery=recovery is not None)
        super().__init__(limits or Limits(), **options)
        self.recovery = recovery
        self.presence = presence
        self._keeping: dict[str, asyncio.Task[None]] = {}

    def authorization(self, auth: Any) -> str | None:
        """Map the `auth` payload to an `Authorization` header, which replaces the handshake's own."""
        token = auth.get("token") if isinstance(auth, dict) else None
        return f"Bearer {token}" if isinstance(token, str) and token.isascii() else None

    def resume(self) -> None:
        """Called by the manager after each subscription: ends of sessions, and events, may have been missed."""
        for session in self.manager.delivery.sessions.values():
            session.has_gap = True
            self.keep(session)
        self._tasks.start(self.clients.recheck())

    def keep(self, session: RecoverableSession) -> None:
        """Save the session of an open connection: this process may be killed."""
        if self.recovery and self._recoverable(session.sid):
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
        """Return when the room is saved: a client that was told so is in it, even if this process is killed.

        Raises:
            RedisError: It could not be saved. The client is not in the room.
        """
        session = self._recoverable(sid)
        is_new = session is not None and room not in session.rooms
        await super().enter_room(sid, room, namespace)
        if self.recovery and session and not await self.recovery.store.flush():
            if is_new:
                await super().leave_room(sid, room, namespace)
            raise RedisConnectionError("The room could not be saved for recovery.")

    async def leave_room(self, sid: str, room: str, namespace: str | None = None) -> None:
        """Return when the rest of the rooms is saved, or Redis has failed."""
        await super().leave_room(sid, room, namespace)
        if self.recovery and self._recoverable(sid):
            await self.recovery.store.flush()

    def _recoverable(self, sid: str) -> RecoverableSession | None:
        """The session of an open connection that is saved while it is open; that of a connecting client is not yet."""
        session: RecoverableSession | None = self.manager.delivery.sessions.get(sid)
        is_saved = session and session.client_tracks_offset and self.manager.is_connected(sid, session.namespace)
        return session if is_saved else None

    async def shutdown(self) -> None:
        """python-socketio leaves transports open and events running, and fails if it has never had a client."""
        self._shutting_down = True
        for eio_sid in list(self.eio.sockets):
            await self.eio.close_transport(eio_sid, wait=False)
        await self._tasks.drain(self.limits.drain_seconds)
        while self._keeping:  # now that no client leaves a room any more
            self._keeping.popitem()[1].cancel()
        if self.presence:
            await self.presence.aclose()
        await self.manager.aclose()
        if self.eio.service_task_handle is not None:
            await super().shutdown()
        self._shutting_down = False

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
                handled = self.manager.delivery.handled
                session = RecoverableSession.start(sid, namespace, principal, data, handled, rooms)
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
        silence = self.eio.ping_interval + 2 * self.eio.ping_timeout  # two pongs may be late
        return await self.recovery.take(data, namespace, principal, silence)

    async def _restore(self, recovery: SessionRecovery, returning: ReturningClient) -> Messages | None:
        """Find the missed events, or discard the live events of the rooms that the client may not re-enter."""
        past = returning.session
        own = copy(returning.waiting)

        async def is_allowed() -> bool:
            is_allowed = await self.clients.rechecks.allows(past.sid, past.namespace)
            return is_allowed and not returning.is_overrun and not past.has_gap

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

    def _has_handlers(self, namespace: str) -> bool:
        known = self.namespaces == "*" or namespace in self.namespaces
        return known or namespace in self.handlers or namespace in self.namespace_handlers

    async def _handle_disconnect(self, eio_sid: str, namespace: str | None, reason: str | None = None) -> None:
        """Save the session if the network broke the connection, or the process stops."""
        namespace = namespace or "/"
        sid = self.manager.sid_from_eio_sid(eio_sid, namespace)
        session: RecoverableSession | None = self.manager.delivery.sessions.get(sid)
        if session and self.manager.is_connected(sid, namespace):  # else it is being recovered, and has its old rooms
            sent = self.manager.delivery.sent_by_now(session)
            session.stop(Client.of(self.environ[eio_sid]).polled.get(namespace, sent))
            self.manager.delivery.end(session)  # it is saved as it is now
        await super()._handle_disconnect(eio_sid, namespace, reason)
        if self.recovery and session and self._is_recoverable(reason):
            if not session.client_tracks_offset and reason == self.reason.PING_TIMEOUT:
                session.forget_recent(self.eio.ping_interval + self.eio.ping_timeout + _LAG_SECONDS)
            await self._tasks.create(self.recovery.store.save(session))  # in a task, for which `shutdown` waits
        elif self.recovery and session and session.client_tracks_offset:
            await self._tasks.create(self.recovery.store.forget(session))
        if eio_sid in self.environ and not self.clients.is_accepted(eio_sid):
            self._limit_unauthenticated(eio_sid)
