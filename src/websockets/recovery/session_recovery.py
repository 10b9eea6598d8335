from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import structlog

from src.core.realtime.event_bus import EventBus, EventBusError
from src.websockets.recovery.session import RecoverableSession, milliseconds_of
from src.websockets.recovery.stream_reader import StreamReader

log = structlog.get_logger(__name__)

MAX_MISSED_EVENTS = 1000
"""A client that missed more starts anew."""

_CLOCK_SKEW_MS = 2000


class Rooms(Protocol):
    """The methods of `socketio.AsyncServer` that recovery uses."""

    def rooms(self, sid: str, namespace: str) -> list[str]:
        """The rooms of a client."""

    async def enter_room(self, sid: str, room: str, namespace: str) -> None:
        """Add a client to a room."""

    async def leave_room(self, sid: str, room: str, namespace: str) -> None:
        """Remove a client from a room."""


class SessionRecovery:
    """Saves the sessions of broken connections in Redis, and finds missed events in the bus's stream.

    Args:
        bus: Where the servers meet.
        principal: Maps an `auth` payload to the owner of the session, who alone may recover it. If it raises, the
            session is not recoverable.
    """

    def __init__(self, bus: EventBus, principal: Callable[[Any], str] = lambda _: "") -> None:
        self.bus = bus
        self._principal = principal
        self._reader = StreamReader(bus)

    def principal(self, auth: Any) -> str | None:
        """To whom a session belongs; None if that is unknown, or nothing is kept for replay."""
        if not self.bus.replay.seconds:
            return None
        try:
            return self._principal(auth)
        except Exception as error:  # the connect handler reports what is wrong with the payload
            log.info("principal_unknown", reason=type(error).__name__)
            return None

    async def save(self, session: RecoverableSession) -> None:
        """Save the session of a broken connection; without Redis it is lost."""
        key, seconds = _key(session.private_session_id), self.bus.replay.seconds
        try:
            await self.bus.write(lambda: self.bus.redis.set(key, session.to_json(), ex=seconds))
        except EventBusError:
            log.info("session_not_saved")

    async def take(self, auth: Any, namespace: str, principal: str) -> RecoverableSession | None:
        """Remove and return the session that the client names by `pid` and `offset`, if both are valid and its own."""
        if not isinstance(auth, dict) or not isinstance(pid := auth.get("pid"), str) or not pid:
            return None
        try:
            saved = await self.bus.read(lambda: self.bus.redis.getdel(_key(pid)))
        except EventBusError:
            return None
        session = RecoverableSession.from_json(saved) if saved else None
        if session is None or (session.namespace, session.principal) != (namespace, principal):
            return None
        if session.client_tracks_offset:  # other clients may send any text as `offset`
            offset = auth.get("offset")
            if offset is not None and offset not in session.sent:
                return None
            session.discard_after(offset)
        for room in session.rooms:
            session.entered.setdefault(room, 0)
        return session

    async def restore(
        self, session: RecoverableSession, rooms: Rooms, is_allowed: Callable[[], Awaitable[bool]]
    ) -> list[dict[str, Any]] | None:
        """Re-enter the session's rooms and find the missed events.

        Args:
            session: As `take` returned it.
            rooms: The server.
            is_allowed: Asked once the rooms are entered.

        Returns:
            None if the session cannot be recovered; the rooms are left again.
        """
        sid, namespace = session.sid, session.namespace
        entered = set(session.rooms).difference(rooms.rooms(sid, namespace))
        for room in entered:
            await rooms.enter_room(sid, room, namespace)
        missed = await self.missed(session)
        if missed is not None and await is_allowed():
            return missed
        for room in entered:
            await rooms.leave_room(sid, room, namespace)
        return None

    async def missed(self, session: RecoverableSession) -> list[dict[str, Any]] | None:
        """Find the events that were emitted to the session's rooms and not sent to its client, oldest first.

        Returns:
            None if that is unknown, or if the connection would have been ended meanwhile.
        """
        begin = session.last_offset
        start = milliseconds_of(begin) - _CLOCK_SKEW_MS if begin else session.since
        try:
            messages, complete_since = await self._reader.since(start)
        except EventBusError:
            return None
        sent = set(session.sent)
        if begin:  # the stream must reach back to an event that was sent; earlier ones were received
            first = next((index for index, (_, message) in enumerate(messages) if message.get("offset") in sent), None)
            if first is None:
                return None
            messages = messages[first:]
        elif complete_since > max(session.since, session.idle_until - _CLOCK_SKEW_MS):
            return None
        addressed = [message for sent_at, message in messages if _is_addressed(message, sent_at, session)]
        if any(message["method"] != "emit" for message in addressed):
            return None
        missed = [message for message in addressed if message["offset"] not in sent]
        return missed if len(missed) <= MAX_MISSED_EVENTS else None


def _is_addressed(message: dict[str, Any], sent_at: int, session: RecoverableSession) -> bool:
    """Whether a message would have reached the connection, which must have been in the room by then."""
    if message["namespace"] != session.namespace:
        return False
    rooms = {room for room in session.rooms if session.entered.get(room, 0) <= sent_at}
    reached = message["room"] is None or not _as_set(message["room"]).isdisjoint(rooms)
    excluded = session.sid in _as_set(message.get("skip_sid")) or message.get("except_room") in session.rooms
    return reached and not excluded


def _as_set(names: Any) -> set[Any]:
    return set(names) if isinstance(names, list) else {names}


def _key(private_session_id: str) -> str:
    return f"socketio:connection:{private_session_id}"
