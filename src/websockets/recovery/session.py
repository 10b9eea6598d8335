import json
import secrets
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from src.core.realtime.offsets import milliseconds_of

MAX_OFFSETS = 256
"""Offsets kept for each connection: its client may have lost everything after the one that it names."""


@dataclass(slots=True)
class RecoverableSession:
    """The state of a connection that its client may recover.

    Attributes:
        private_session_id: Secret of the client, Socket.IO's `pid`; shown when it reconnects.
        sid: Socket.IO session id.
        principal: Who may recover the session.
        client_tracks_offset: Whether the client reports the last offset that it received; otherwise everything that was
            sent counts as received.
        process: The process that serves the connection.
        lease: Names the connection that the session belongs to; a saved session is only changed by that.
        since: When the session began, in Unix milliseconds.
        has_ended: Whether the process noticed the end of the connection; if not, `sent` may lack the latest events.
        has_gap: Whether the process may have missed events, because it was cut off from Redis.
        received_until: Nothing that was emitted before is missed, in Unix milliseconds; 0 while connected.
        last_received: The last event that the client received, if `sent` does not tell.
        sent: Offsets of the events that were sent, oldest first.
        unreceived: Offsets of events that were sent, and not received.
        entered: By room, when the client entered it, in Unix milliseconds; absent for rooms from before the session.
    """

    private_session_id: str
    sid: str
    namespace: str
    principal: str
    client_tracks_offset: bool
    process: str = ""
    lease: str = field(default_factory=lambda: secrets.token_hex(8))
    since: int = field(default_factory=lambda: now())
    has_ended: bool = False
    has_gap: bool = False
    received_until: int = 0
    last_received: str | None = None
    rooms: list[str] = field(default_factory=list)
    sent: deque[str] = field(default_factory=lambda: deque(maxlen=MAX_OFFSETS))
    unreceived: list[str] = field(default_factory=list)
    entered: dict[str, int] = field(default_factory=dict)

    @classmethod
    def start(cls, sid: str, namespace: str, principal: str, auth: Any, process: str, rooms: Iterable[str]) -> Self:
        """Begin the session of a new connection; the client tracks offsets if its `auth` says `"recover": true`."""
        tracks_offset = isinstance(auth, dict) and auth.get("recover") is True
        return cls(
            secrets.token_urlsafe(18), sid, namespace, principal, tracks_offset, process=process, rooms=list(rooms)
        )

    def enter(self, room: str) -> None:
        """Record when the client entered a room: earlier events of the room are not replayed."""
        if room not in self.rooms:
            self.rooms.append(room)
            self.entered[room] = now()

    def leave(self, room: str) -> None:
        """Forget a room."""
        if room in self.rooms:
            self.rooms.remove(room)
            self.entered.pop(room, None)

    def stop(self, unread: set[str]) -> None:
        """Record that the connection has ended, and the offsets of events that the client did not receive."""
        self.has_ended, self.received_until = True, now()
        if unread:
            self._discard([offset for offset in self.sent if offset in unread])

    def resume(self, process: str) -> None:
        """Record that the client is connected again, and has everything in `sent`."""
        self.process, self.has_ended = process, False
        self.received_until, self.last_received, self.unreceived = 0, None, []

    def to_json(self) -> str:
        """Serialize for Redis."""
        return json.dumps({**asdict(self), "sent": list(self.sent)})

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Deserialize."""
        fields = json.loads(text)
        return cls(**{**fields, "sent": deque(fields["sent"], maxlen=MAX_OFFSETS)})

    @property
    def last_offset(self) -> str | None:
        """Offset of the last event that the client is known to have received, if any."""
        return self.last_received or (self.sent[-1] if self.sent else None)

    def discard_after(self, offset: str | None) -> None:
        """Forget the offsets after `offset`: the client did not receive those events."""
        is_full = len(self.sent) == MAX_OFFSETS
        begin = 0 if offset is None else self.sent.index(offset) + 1
        self._discard(list(self.sent)[begin:])
        if offset is None and is_full:  # what `sent` has forgotten was not received either
            self.received_until = self.since

    def discard_recent(self, seconds: float) -> None:
        """Forget the offsets of the last `seconds`: nobody knows whether the client received those events."""
        begin = int((time.time() - seconds) * 1000)
        self._discard([offset for offset in self.sent if milliseconds_of(offset) >= begin])
        self.received_until = min(self.received_until, begin)

    def _discard(self, offsets: list[str]) -> None:
        if offsets:
            discarded = set(offsets)
            self.sent = deque((offset for offset in self.sent if offset not in discarded), MAX_OFFSETS)
            self.unreceived += offsets
            first = min(map(milliseconds_of, offsets))
            self.received_until = min(self.received_until or first, first)


def now() -> int:
    """The time in Unix milliseconds."""
    return int(time.time() * 1000)
