import json
import secrets
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any, Self

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
        since: When the session began, in Unix milliseconds.
        idle_until: When the connection broke, in Unix milliseconds, if nothing had been sent to it by then.
        rooms: Set when the connection breaks.
        sent: Offsets of the events that were sent, oldest first.
        entered: By room, when the client entered it, in Unix milliseconds; 0 for rooms of an earlier connection.
    """

    private_session_id: str
    sid: str
    namespace: str
    principal: str
    client_tracks_offset: bool
    since: int = field(default_factory=lambda: _now())
    idle_until: int = 0
    rooms: list[str] = field(default_factory=list)
    sent: deque[str] = field(default_factory=lambda: deque(maxlen=MAX_OFFSETS))
    entered: dict[str, int] = field(default_factory=dict)

    @classmethod
    def start(cls, sid: str, namespace: str, principal: str, auth: Any) -> Self:
        """Begin the session of a new connection; the client tracks offsets if its `auth` says `"recover": true`."""
        tracks_offset = isinstance(auth, dict) and auth.get("recover") is True
        return cls(secrets.token_urlsafe(18), sid, namespace, principal, tracks_offset)

    def enter(self, room: str) -> None:
        """Record when the client entered a room: earlier events of the room are not replayed."""
        self.entered.setdefault(room, _now())

    def leave(self, room: str) -> None:
        """Forget a room."""
        self.entered.pop(room, None)

    def stop(self, rooms: list[str], unread: set[str]) -> None:
        """Record that the connection breaks, its rooms, and the offsets of events that the client did not receive."""
        self.rooms = rooms
        self.idle_until = 0 if self.sent else _now()
        if unread:
            self.sent = deque((offset for offset in self.sent if offset not in unread), MAX_OFFSETS)

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
        """Offset of the last event that was sent, if any."""
        return self.sent[-1] if self.sent else None

    def discard_after(self, offset: str | None) -> None:
        """Forget the offsets after `offset`: the client did not receive those events."""
        while self.sent and self.last_offset != offset:
            self.sent.pop()

    def discard_recent(self, seconds: float) -> None:
        """Forget the offsets of the last `seconds`: nobody knows whether the client received those events."""
        begin = int((time.time() - seconds) * 1000)
        while self.last_offset and milliseconds_of(self.last_offset) >= begin:
            self.sent.pop()
        if not self.sent:
            self.since = max(self.since, begin)


def milliseconds_of(offset: str) -> int:
    """When an event was emitted, in Unix milliseconds."""
    return int(offset.partition("-")[0])


def _now() -> int:
    return int(time.time() * 1000)
