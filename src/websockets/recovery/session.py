import json
import secrets
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from src.core.realtime.positions import position_at
from src.websockets.recovery.progress import Offset, Progress


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
        received: What the client had received when it connected, or came back.
        received_until: Everything up to this position was received, judged by time.
        replayed_until: The stream was replayed up to this position.
        last_sent: The offset of the last event that was sent since then.
        sent: What was sent by the end of the connection, as an offset; None while it is open.
        connected_at: When the connection began, in Unix milliseconds.
        ended_at: When it ended.
        has_ended: Whether the process noticed the end of the connection.
        has_gap: Whether the process may have missed events, because it was cut off from Redis.
        entered: By room, what the process had handled when the client entered it, as an offset; absent for rooms from
            before the session.
    """

    private_session_id: str
    sid: str
    namespace: str
    principal: str
    client_tracks_offset: bool
    process: str = ""
    lease: str = field(default_factory=lambda: secrets.token_hex(8))
    received: Progress = field(default_factory=Progress)
    received_until: int = 0
    replayed_until: int = 0
    last_sent: str | None = None
    sent: str | None = None
    connected_at: int = field(default_factory=lambda: now())
    ended_at: int = 0
    has_ended: bool = False
    has_gap: bool = False
    rooms: list[str] = field(default_factory=list)
    entered: dict[str, str] = field(default_factory=dict)

    @classmethod
    def start(cls, sid: str, namespace: str, principal: str, auth: Any, handled: Offset, rooms: Iterable[str]) -> Self:
        """Begin the session of a new connection; the client tracks offsets if its `auth` says `"recover": true`.

        Args:
            sid: Socket.IO session id.
            namespace: Where the client connected.
            principal: Who may recover the session.
            auth: The client's `auth` payload.
            handled: What the process has handled: earlier events are not replayed.
            rooms: Those of the client.
        """
        tracks_offset = isinstance(auth, dict) and auth.get("recover") is True
        pid = secrets.token_urlsafe(18)
        session = cls(pid, sid, namespace, principal, tracks_offset, process=handled.process, rooms=list(rooms))
        session.received.add(handled)
        return session

    def enter(self, room: str, handled: Offset) -> None:
        """Record that the client has entered a room: what the process has handled by then is not replayed."""
        if room not in self.rooms:
            self.rooms.append(room)
            self.entered[room] = str(handled)

    def leave(self, room: str) -> None:
        """Forget a room."""
        if room in self.rooms:
            self.rooms.remove(room)
            self.entered.pop(room, None)

    def refuse(self, sent: Offset) -> None:
        """Record that the transport takes no more events, and what had been sent by then."""
        self.sent = str(min(sent, Offset.parse(self.sent) or sent))

    def stop(self, sent: Offset) -> None:
        """Record that the connection has ended, and what had been sent by then."""
        self.refuse(sent)
        self.has_ended, self.ended_at = True, now()

    def forget_recent(self, seconds: float) -> None:
        """Count what was sent in the last `seconds` as not received: nobody knows."""
        sent, begin = Offset.parse(self.sent) or Offset(), now() - int(seconds * 1000)
        is_older = self.connected_at < begin  # else older events were replayed in that time
        self.sent = str(min(sent.position, position_at(begin))) if is_older else None

    def receive(self, offset: object, alive_at: int) -> bool:
        """Add what the client has received; returns False if the offset that it sends is none.

        Args:
            offset: Of the last event that it received, None if it received none.
            alive_at: What had been sent by then was received, in Unix milliseconds.
        """
        if self.client_tracks_offset:
            if offset is not None:
                if (received := Offset.parse(offset)) is None:
                    return False
                self.received.add(received)
            if alive_at > self.connected_at:
                self.received_until = max(self.received_until, position_at(alive_at))
        has_all = not self.client_tracks_offset or self.last_sent in (None, offset)
        if has_all and (sent := Offset.parse(self.sent)):
            self.received.add(sent)
        return True

    def resume(self, process: str) -> None:
        """Record that the client is connected again."""
        self.process, self.has_ended, self.connected_at = process, False, now()
        self.last_sent = self.sent = None

    def to_json(self) -> str:
        """Serialize for Redis."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Deserialize.

        Raises:
            KeyError, TypeError, ValueError: It is no session of this version.
        """
        fields = json.loads(text)
        return cls(**{**fields, "received": Progress(**fields["received"])})


def now() -> int:
    """The time in Unix milliseconds."""
    return int(time.time() * 1000)
