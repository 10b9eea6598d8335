import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Protocol

import structlog

from src.core.realtime.event_bus import EventBus, EventBusError
from src.core.realtime.positions import position_at
from src.utils.cancellation import raise_if_cancelled
from src.websockets.recovery.progress import Messages, Progress, number_of
from src.websockets.recovery.session import RecoverableSession, now
from src.websockets.recovery.session_store import RENEWAL_SECONDS, SessionStore
from src.websockets.recovery.stream_reader import StreamReader

log = structlog.get_logger(__name__)

MAX_MISSED_EVENTS = 1000
"""A client that missed more starts anew."""

_STALL_MS = 7000
"""A process handles what others emit within this time, which includes the difference of the clocks."""


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
        seen_at = session.ended_at if session.has_ended else renewed_at
        if not session.receive(auth.get("offset"), seen_at - int(silence_seconds * 1000) - _STALL_MS):
            return None
        return session if await self.store.claim(session, secrets.token_hex(8)) else None

    async def _is_served(self, session: RecoverableSession) -> bool:
        try:
            return await self.bus.is_alive(session.process)
        except EventBusError:
            return True

    async def restore(
        self, session: RecoverableSession, rooms: Rooms, is_allowed: Callable[[], Awaitable[bool]]
    ) -> Messages | None:
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

    async def missed(self, session: RecoverableSession) -> Messages | None:
        """Find the events that were emitted to the session's rooms and not received by its client, oldest first.

        Returns:
            None if they cannot be known, or if an event among them ends the connection.
        """
        start = max(session.received.position, session.received_until)
        try:
            messages, complete_since = await self._reader.since(start)
        except EventBusError:
            return None
        if complete_since is None:  # it expires, but not before what the client has received last
            kept_since = position_at(now() - self.bus.replay.seconds * 1000)
            return None if session.received.position > kept_since else []
        entered = {room: Progress.up_to(offset) for room, offset in session.entered.items()}
        missed = [
            (position, message)
            for position, message in messages
            if not session.received.includes(position, message) and _is_addressed(position, message, session, entered)
        ]
        is_ended = any(number_of(message) is None for _, message in missed)
        if complete_since > start or is_ended or len(missed) > MAX_MISSED_EVENTS:
            return None
        session.received.forget_processes(messages)
        session.replayed_until = messages[-1][0] if messages else start
        return missed


def _is_addressed(
    position: int, message: dict[str, Any], session: RecoverableSession, entered: Mapping[str, Progress]
) -> bool:
    """Whether a message would have reached the connection, which must have been in the room by then."""
    if message["namespace"] != session.namespace:
        return False
    rooms = {room for room in session.rooms if room not in entered or not entered[room].includes(position, message)}
    reached = message["room"] is None or not _as_set(message["room"]).isdisjoint(rooms)
    excluded = session.sid in _as_set(message.get("skip_sid")) or message.get("except_room") in session.rooms
    return reached and not excluded


def _as_set(names: Any) -> set[Any]:
    return set(names) if isinstance(names, list) else {names}
