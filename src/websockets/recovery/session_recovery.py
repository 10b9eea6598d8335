import asyncio
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

import structlog

from src.core.realtime.event_bus import EventBus, EventBusError
from src.core.realtime.offsets import is_offset, milliseconds_of, process_of
from src.utils.cancellation import raise_if_cancelled
from src.websockets.recovery.killed_process import received_with, sent_before
from src.websockets.recovery.session import MAX_OFFSETS, RecoverableSession, now
from src.websockets.recovery.session_store import RENEWAL_SECONDS, SessionStore
from src.websockets.recovery.stream_reader import Messages, StreamReader

log = structlog.get_logger(__name__)

MAX_MISSED_EVENTS = 1000
"""A client that missed more starts anew."""

_CLOCK_SKEW_MS = 2000
_STALL_MS = 5000
"""A process handles what others emit within this time."""


class Rooms(Protocol):
    """The methods of `socketio.AsyncServer` that recovery uses."""

    def rooms(self, sid: str, namespace: str) -> list[str]:
        """The rooms of a client."""

    async def enter_room(self, sid: str, room: str, namespace: str) -> None:
        """Add a client to a room."""

    async def leave_room(self, sid: str, room: str, namespace: str) -> None:
        """Remove a client from a room."""


class SessionRecovery:
    """Saves sessions in Redis, and finds missed events in the bus's stream.

    Args:
        bus: Where the servers meet.
        principal: Maps an `auth` payload to the owner of the session, who alone may recover it. If it raises, the
            session is not recoverable.

    Attributes:
        store: The saved sessions.
    """

    def __init__(self, bus: EventBus, principal: Callable[[Any], str] = lambda _: "") -> None:
        self.bus = bus
        self._principal = principal
        self._reader = StreamReader(bus)
        self.store = SessionStore(bus)

    def principal(self, auth: Any) -> str | None:
        """To whom a session belongs; None if that is unknown, or nothing is kept for replay."""
        if not self.bus.replay.seconds:
            return None
        try:
            return self._principal(auth)
        except Exception as error:  # the connect handler reports what is wrong with the payload
            log.info("principal_unknown", reason=type(error).__name__)
            return None

    async def keep(self, sessions: Callable[[], Iterable[RecoverableSession]]) -> None:
        """Renew the saved sessions of open connections, for ever."""
        while True:
            await asyncio.sleep(min(RENEWAL_SECONDS, self.bus.replay.seconds / 4))
            await self.store.renew(session for session in sessions() if session.client_tracks_offset)
            raise_if_cancelled()

    async def take(
        self, auth: Any, namespace: str, principal: str, silence_seconds: float
    ) -> RecoverableSession | None:
        """Take over the session that the client names by `pid` and `offset`, if both are valid and its own.

        The session of a connection that is still served by its process is left alone.

        Args:
            auth: The client's `auth` payload.
            namespace: Where it connects.
            principal: To whom the session must belong.
            silence_seconds: After so long without a message from the client its connection ends.
        """
        if not isinstance(auth, dict) or not isinstance(pid := auth.get("pid"), str) or not pid:
            return None
        found = await self.store.find(pid)
        if found is None:
            return None
        session, renewed_at = found
        if (session.namespace, session.principal) != (namespace, principal):
            return None
        if session.has_gap or (not session.has_ended and await self._is_served(session)):
            return None
        session.received_until = session.received_until or max(session.since, int(renewed_at - silence_seconds * 1000))
        if session.client_tracks_offset and not _receive(session, auth.get("offset")):
            return None
        return session if await self.store.claim(session, secrets.token_hex(8)) else None

    async def _is_served(self, session: RecoverableSession) -> bool:
        try:
            return await self.bus.is_alive(session.process)
        except EventBusError:
            return True

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
        last = session.last_offset
        start = max(session.since, session.received_until - _CLOCK_SKEW_MS)
        if last and not session.has_ended:
            start = max(start, milliseconds_of(last) - _STALL_MS - _CLOCK_SKEW_MS)
        try:
            read, complete_since = await self._reader.since(start)
        except EventBusError:
            return None
        if complete_since is None:  # it expires with the last event
            is_kept = last is not None and milliseconds_of(last) > now() - self.bus.replay.seconds * 1000
            return None if is_kept or session.unreceived else []
        messages = read
        if complete_since > start or len(session.sent) == MAX_OFFSETS:  # what is not known any more was received
            first = _first_heard(session, read)
            if first is None and complete_since > start:
                return None
            messages = read[first or 0 :]
        if session.last_received and not _add_received(session, messages):
            return None
        sent, unreceived = _sent(session, read), set(session.unreceived)
        missed = [
            message
            for sent_at, message in messages
            if message.get("offset") in unreceived
            or (_is_addressed(message, sent_at, session) and message.get("offset") not in sent)
        ]
        offsets = {message.get("offset") for message in missed}
        is_complete = None not in offsets and offsets >= unreceived  # None is a disconnect
        return missed if is_complete and len(missed) <= MAX_MISSED_EVENTS else None


def _receive(session: RecoverableSession, offset: object) -> bool:
    """Apply the offset of the last event that the client received; returns False if it cannot be right."""
    if offset is None or offset in session.sent:
        session.discard_after(offset)  # type: ignore[arg-type]  # what is in `sent` is a text
        session.last_received = None
        return True
    if session.has_ended or not is_offset(offset):
        return False
    session.last_received = str(offset)
    return milliseconds_of(session.last_received) >= session.since - _CLOCK_SKEW_MS


def _add_received(session: RecoverableSession, messages: Messages) -> bool:
    """Add what a killed process had sent after it saved the session; returns False if that is unknown."""
    last = str(session.last_received)
    received = received_with(last, session.process, messages)
    if received is None:  # it is not kept any more
        return milliseconds_of(last) < session.received_until - _CLOCK_SKEW_MS
    offsets = {message.get("offset") for _, message in messages}
    if not offsets.intersection(session.sent) <= set(received):
        return False
    earlier = [offset for offset in session.sent if offset not in set(received)]
    session.sent = deque([*earlier, *received], MAX_OFFSETS)
    return True


def _first_heard(session: RecoverableSession, messages: Messages) -> int | None:
    """The first message of others that was sent: what is older was handled, for that happens in their order.

    The process sends its own events at once, maybe long before it handles older ones of others.
    """
    sent = {offset for offset in session.sent if process_of(offset) != session.process}
    return next((index for index, (_, message) in enumerate(messages) if message.get("offset") in sent), None)


def _sent(session: RecoverableSession, messages: Messages) -> set[str]:
    """What was sent. `session.sent` is limited, and its order is not that of the stream."""
    if session.last_received:
        return {*session.sent, *(received_with(session.last_received, session.process, messages) or ())}
    return {*session.sent, *(sent_before(session.sent[0], session.process, messages) if session.sent else ())}


def _is_addressed(message: dict[str, Any], sent_at: int, session: RecoverableSession) -> bool:
    """Whether a message would have reached the connection, which must have been in the room by then."""
    if message["namespace"] != session.namespace or sent_at < session.since:
        return False
    rooms = {room for room in session.rooms if session.entered.get(room, 0) <= sent_at}
    reached = message["room"] is None or not _as_set(message["room"]).isdisjoint(rooms)
    excluded = session.sid in _as_set(message.get("skip_sid")) or message.get("except_room") in session.rooms
    return reached and not excluded


def _as_set(names: Any) -> set[Any]:
    return set(names) if isinstance(names, list) else {names}
