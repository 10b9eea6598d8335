"""What a client whose network broke comes back to: its rooms, and what was emitted meanwhile."""

import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Self

import structlog

from src.core.realtime.event_bus import EventBus, EventBusError
from src.websockets.recovery.stream_reader import StreamReader

log = structlog.get_logger(__name__)

REMEMBERED = 256
"""How many offsets are known of what a connection was sent: its client may have lost all that came after its own."""

_AT_MOST = 1000  # events; whoever missed more had better read everything anew
_CLOCKS_DIFFER_MS = 2000


@dataclass(slots=True)
class RecoverableSession:
    """What is known of a connection that its client may come back to.

    Attributes:
        pid: The secret that the client shows when it comes back.
        owner: Whose it is.
        exact: Whether its client says what it got; otherwise, what was sent to it counts as that.
        since: When it began, in milliseconds.
        rooms: Where it was when it broke.
        sent: The offsets of what it was sent, oldest first.
        entered: When it came into its rooms, in milliseconds, as far as that was later than `since`.
    """

    pid: str
    sid: str
    namespace: str
    owner: str
    exact: bool
    since: int = field(default_factory=lambda: int(time.time() * 1000))
    rooms: list[str] = field(default_factory=list)
    sent: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    entered: dict[str, int] = field(default_factory=dict)

    def enter(self, room: str) -> None:
        """Note when the connection came into a room: what was said there before is not for it."""
        self.entered.setdefault(room, int(time.time() * 1000))

    def leave(self, room: str) -> None:
        """Forget a room."""
        self.entered.pop(room, None)

    def to_json(self) -> str:
        """As it is kept."""
        return json.dumps({**asdict(self), "sent": list(self.sent)})

    @classmethod
    def from_json(cls, kept: str | bytes) -> Self:
        """As it was kept."""
        fields = json.loads(kept)
        return cls(**{**fields, "sent": deque(fields["sent"], maxlen=REMEMBERED)})

    @property
    def last(self) -> str | None:
        """The offset of what was sent last, if anything was."""
        return self.sent[-1] if self.sent else None

    def cut(self, offset: str | None) -> None:
        """Forget what was sent after an offset: the client has not got it."""
        while self.sent and self.last != offset:
            self.sent.pop()

    def doubt(self, seconds: float) -> None:
        """Forget what was sent in the last seconds: nobody knows whether it arrived."""
        begin = int((time.time() - seconds) * 1000)
        while self.last and _milliseconds(self.last) >= begin:
            self.sent.pop()
        if not self.sent:
            self.since = max(self.since, begin)


class Recovery:
    """Keeps connections that broke in Redis for a while, and finds what they missed in the channel's stream.

    Args:
        channel: Where the servers meet.
        owner: Says by the `auth` payload whose a connection is; nobody gets another's back. Any exception of it is
            nobody's.
    """

    def __init__(self, channel: EventBus, owner: Callable[[Any], str] = lambda _: "") -> None:
        self.channel = channel
        self._owner = owner
        self._tail = StreamReader(channel)

    def owner(self, auth: Any) -> str | None:
        """Whose connection this is; None when nobody can tell, and where nothing is to be kept."""
        if not self.channel.memory.seconds:
            return None
        try:
            return self._owner(auth)
        except Exception as error:  # the connect handler says what is wrong with it
            log.info("owner_unknown", reason=type(error).__name__)
            return None

    async def keep(self, trail: RecoverableSession) -> None:
        """Keep a connection that broke; without Redis it is forgotten."""
        redis, seconds = self.channel.redis, self.channel.memory.seconds
        try:
            await self.channel.attempt(lambda: redis.set(_key(trail.pid), trail.to_json(), ex=seconds))
        except EventBusError:
            log.info("connection_not_kept")

    async def take(self, auth: Any, namespace: str, owner: str) -> RecoverableSession | None:
        """The connection that the client comes back to, once, if it is its own and begins where the client says."""
        if not isinstance(auth, dict) or not isinstance(pid := auth.get("pid"), str) or not pid:
            return None
        try:
            kept = await self.channel.ask(lambda: self.channel.redis.getdel(_key(pid)))
        except EventBusError:
            return None
        trail = RecoverableSession.from_json(kept) if kept else None
        if trail is None or (trail.namespace, trail.owner) != (namespace, owner):
            return None
        if trail.exact:  # any other client takes a text that it was sent for an offset
            offset = auth.get("offset")
            if offset is not None and offset not in trail.sent:
                return None
            trail.cut(offset)
        for room in trail.rooms:  # the others it was in from the start
            trail.entered.setdefault(room, 0)
        return trail

    async def missed(self, trail: RecoverableSession, begin: str | None) -> list[dict[str, Any]] | None:
        """What was emitted to the connection's rooms and not sent to its client, oldest first.

        Args:
            trail: What was sent, a moment ago included.
            begin: The offset of the last that the client had got when it came back; None if it had got nothing.

        Returns:
            None when that cannot be told any more, or when the connection would have been ended meanwhile.
        """
        start = _milliseconds(begin) - _CLOCKS_DIFFER_MS if begin else trail.since
        try:
            messages = await self._tail.since(start)
        except EventBusError:
            return None
        got = set(trail.sent)
        if begin:  # the stream has to reach back so far, and what was before is of no interest
            first = next((at for at, (_, message) in enumerate(messages) if message.get("offset") in got), None)
            if first is None:
                return None
            messages = messages[first:]
        concerning = [message for sent_at, message in messages if _concerns(message, sent_at, trail)]
        if any(message["method"] != "emit" for message in concerning):
            return None
        missed = [message for message in concerning if message["offset"] not in got]
        return missed if len(missed) <= _AT_MOST else None


def _milliseconds(offset: str) -> int:
    """When an event was emitted."""
    return int(offset.partition("-")[0])


def _concerns(message: dict[str, Any], sent_at: int, trail: RecoverableSession) -> bool:
    """Whether the connection would have been reached: it has to have been in the room by then."""
    if message["namespace"] != trail.namespace:
        return False
    rooms = {room for room in trail.rooms if trail.entered.get(room, 0) <= sent_at}
    reached = message["room"] is None or not _listed(message["room"]).isdisjoint(rooms)
    return reached and trail.sid not in _listed(message.get("skip_sid")) and message.get("spare") not in trail.rooms


def _listed(names: Any) -> set[Any]:
    return set(names) if isinstance(names, list) else {names}


def _key(pid: str) -> str:
    return f"socketio:connection:{pid}"
