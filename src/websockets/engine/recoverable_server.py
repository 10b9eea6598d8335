"""A Socket.IO server that lets clients into namespaces, and lets those whose network broke back in."""

import secrets
from typing import Any

import socketio
from socketio.exceptions import ConnectionRefusedError as Refusal
from socketio.packet import CONNECT, CONNECT_ERROR

from src.websockets.recovery.recovery import RecoverableSession, Recovery

_BROKEN = {
    socketio.AsyncServer.reason.TRANSPORT_CLOSE,
    socketio.AsyncServer.reason.TRANSPORT_ERROR,
    socketio.AsyncServer.reason.PING_TIMEOUT,
}


class RecoverableServer(socketio.AsyncServer):  # type: ignore[misc]  # its base is untyped
    """`socketio.AsyncServer` with connection state recovery.

    Each client gets a secret, which the JavaScript client sends by itself when it comes back: it is then in the same
    rooms, under the same id, and gets what was emitted since the connection broke. One that connects with
    `auth: {"recover": true}` gets an offset as the last argument of each event as well, sends it with the secret, and
    so gets what was lost on its way, too.

    Args:
        recovery: Where broken connections are kept; without it, there is no recovery.
        options: Those of `socketio.AsyncServer`, but for `always_connect`.
    """

    def __init__(self, *, recovery: Recovery | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.recovery = recovery
        self._closing = False

    async def may_stay(self, sid: str, namespace: str) -> bool:
        """Whether a client that comes back may have its rooms again."""
        return True

    async def recheck_clients(self) -> None:
        """End the connections of this process that may not stay."""

    async def _handle_connect(self, eio_sid: str, namespace: str | None, data: Any) -> None:
        namespace = namespace or "/"
        if not self._knows(namespace) or self.manager.sid_from_eio_sid(eio_sid, namespace) is not None:
            await self._refuse(eio_sid, namespace, "Unable to connect")
            return
        environ = self.environ[eio_sid]
        owner = self.recovery.owner(data) if self.recovery else None
        past = await self.recovery.take(data, namespace, owner) if self.recovery and owner is not None else None
        sid = await self.manager.pre_connect(eio_sid, namespace, past.sid if past else None)
        begin = past.last if past else None
        if past:
            self.manager.trails[sid] = past  # from now on, what it is sent is noted
        self.manager.undecided.add(sid)
        try:
            refusal = await self._introduce(namespace, sid, environ, data)
        finally:
            self.manager.undecided.discard(sid)
        if refusal is not None:
            await self._refuse(eio_sid, namespace, refusal)
            await self.manager.disconnect(sid, namespace, ignore_queue=True)
            return
        answer, missed = {"sid": sid}, None
        if owner is not None:
            missed = await self._restore(past, begin) if past else None
            if missed is None:
                exact = isinstance(data, dict) and data.get("recover") is True
                self.manager.trails[sid] = RecoverableSession(secrets.token_urlsafe(18), sid, namespace, owner, exact)
            answer["pid"] = self.manager.trails[sid].pid
        await self._send_packet(eio_sid, self.packet_class(CONNECT, answer, namespace=namespace))
        await self.manager.connect(sid, namespace)
        for message in missed or ():
            self.manager.replay(sid, eio_sid, message)
        if eio_sid not in self.environ:  # the client has left meanwhile, and nobody was there to be disconnected
            await self.manager.disconnect(sid, namespace, ignore_queue=True)

    async def _handle_disconnect(self, eio_sid: str, namespace: str | None, reason: str | None = None) -> None:
        """Once the connection is gone, keep it if it was the network's fault, or the server's."""
        namespace = namespace or "/"
        sid = self.manager.sid_from_eio_sid(eio_sid, namespace)
        trail: RecoverableSession | None = self.manager.trails.get(sid)
        if trail and self.manager.is_connected(sid, namespace):  # else it is coming back, and has its old rooms noted
            trail.rooms = self.rooms(sid, namespace)
        await super()._handle_disconnect(eio_sid, namespace, reason)
        if self.recovery and trail and (self._closing or reason in _BROKEN):
            if not trail.exact and reason == self.reason.PING_TIMEOUT:
                trail.doubt(self.eio.ping_interval + self.eio.ping_timeout)
            await self.recovery.keep(trail)

    async def _restore(self, past: RecoverableSession, begin: str | None) -> list[dict[str, Any]] | None:
        """Give a connection its rooms back, and find what it missed since an offset; None if it has to start anew."""
        if self.recovery is None:
            return None
        sid, namespace = past.sid, past.namespace
        given = set(past.rooms).difference(self.rooms(sid, namespace))
        for room in given:
            await self.manager.enter_room(sid, namespace, room)
        missed = await self.recovery.missed(past, begin)
        if missed is not None and await self.may_stay(sid, namespace):
            return missed
        for room in given:
            await self.manager.leave_room(sid, namespace, room)
        return None

    async def _introduce(self, namespace: str, sid: str, environ: dict[str, Any], auth: Any) -> Any:
        """Run the connect handler; returns why it refuses, or None."""
        try:
            try:
                accepted = await self._trigger_event("connect", namespace, sid, environ, auth)
            except TypeError:
                if auth is not None:
                    raise
                accepted = await self._trigger_event("connect", namespace, sid, environ)  # it takes no `auth`
        except Refusal as error:
            return error.error_args
        except ConnectionRefusedError:
            return {"message": "Connection refused by server"}
        return Refusal().error_args if accepted is False else None

    async def _refuse(self, eio_sid: str, namespace: str, reason: Any) -> None:
        await self._send_packet(eio_sid, self.packet_class(CONNECT_ERROR, reason, namespace=namespace))

    def _knows(self, namespace: str) -> bool:
        known = self.namespaces == "*" or namespace in self.namespaces
        return known or namespace in self.handlers or namespace in self.namespace_handlers
