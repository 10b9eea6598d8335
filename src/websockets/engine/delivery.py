"""Delivers events to the clients of this process, by a queue of packets for each."""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from engineio.packet import MESSAGE, Packet

from src.websockets.limits import Limits
from src.websockets.recovery import MAX_MISSED_EVENTS, RecoverableSession

Post = Callable[[str, list[Packet]], bool]
"""Queues packets for a transport; returns False if that is closed."""

Event = tuple[list[Packet], str | None]
"""Packets of an event, and its offset if it is in the stream."""

_LATE_SECONDS = 10


class SendQueue(asyncio.Queue[Any]):
    """Packets that wait for a client to read them; None ends the connection.

    Attributes:
        size_bytes: Total size of the packets.
    """

    def __init__(self) -> None:
        super().__init__()
        self.size_bytes = 0

    def exceeds(self, limits: Limits) -> bool:
        """Whether the client reads too slowly."""
        return self.size_bytes > limits.queued_bytes or self.qsize() > limits.queued_packets

    def discard_all(self) -> set[str]:
        """Discard all packets; returns the offsets of the events."""
        offsets = set()
        while not self.empty():
            offsets.add(getattr(self.get_nowait(), "offset", None))
            self.task_done()
        return {offset for offset in offsets if offset}

    def _put(self, item: Any) -> None:
        self.size_bytes += _size(item)
        super()._put(item)

    def _get(self) -> Any:
        item = super()._get()
        self.size_bytes -= _size(item)
        return item


class ReturningClient:
    """A client whose missed events are being read: live events wait, and none is sent twice.

    Attributes:
        session: Its session.
        waiting: Live events, oldest first; the client cannot be recovered once there are 1,000. None after the replay.
    """

    def __init__(self, session: RecoverableSession) -> None:
        self.session = session
        self.waiting: deque[Event] | None = deque(maxlen=MAX_MISSED_EVENTS)
        self._sent: set[str] = set()

    @property
    def is_overrun(self) -> bool:
        """Whether so many events wait that some may have been discarded."""
        return self.waiting is not None and len(self.waiting) == self.waiting.maxlen

    def accepts(self, packets: list[Packet], offset: str | None) -> bool:
        """Whether an event is to be sent now; it is queued, or discarded if it was sent before."""
        if self.waiting is not None:
            self.waiting.append((packets, offset))
            return False
        if offset in self._sent:
            return False
        if offset:
            self._sent.add(offset)
        return True


class Delivery:
    """Sends an event to many clients, and records it for session recovery.

    Attributes:
        sessions: By session id, the sessions that their clients may recover.
        returning: By session id, the clients that are recovering, or did so within the last seconds.
        pending_connects: By session id, the rooms of clients whose connect handler still runs; they get no broadcasts.
    """

    def __init__(self) -> None:
        self.sessions: dict[str, RecoverableSession] = {}
        self.returning: dict[str, ReturningClient] = {}
        self.pending_connects: dict[str, set[str]] = {}

    def send(
        self,
        packets: list[Packet],
        recipients: Iterable[tuple[str, str]],
        post: Post,
        skip: Collection[str],
        offset: str | None,
    ) -> None:
        """Queue the same packets for each recipient, given by session and transport id, without a task for each.

        Args:
            packets: The encoded event.
            recipients: May include those to skip.
            post: Queues packets for a transport.
            skip: Session ids.
            offset: Identifies the event; appended to it for clients that track offsets.
        """
        sessions = self.sessions if offset else {}
        with_offset = append_offset(packets, offset) if sessions and offset else packets
        packets[0].offset = with_offset[0].offset = offset
        returning = self.returning
        for sid, transport_id in recipients:
            if sid in skip or (sid in returning and not returning[sid].accepts(packets, offset)):
                continue
            session = sessions.get(sid)
            is_posted = post(transport_id, with_offset if session and session.client_tracks_offset else packets)
            if is_posted and session and offset:
                session.sent.append(offset)

    def hold(self, session: RecoverableSession) -> ReturningClient:
        """Let live events for the client of a session wait until `release`."""
        self.sessions[session.sid] = session
        self.returning[session.sid] = returning = ReturningClient(session)
        return returning

    def release(self, sid: str, transport_id: str, missed: Sequence[Event], post: Post) -> None:
        """Send the missed events, then those that waited. For some seconds, live copies of both may still arrive."""
        returning = self.returning[sid]
        waiting, returning.waiting = returning.waiting or (), None
        for packets, offset in [*missed, *waiting]:
            self.send(packets, [(sid, transport_id)], post, (), offset)
        asyncio.get_running_loop().call_later(_LATE_SECONDS, self._forget, sid, returning)

    def _forget(self, sid: str, returning: ReturningClient) -> None:
        if self.returning.get(sid) is returning:
            del self.returning[sid]


def encode(packet: Any) -> list[Packet]:
    """Encode a Socket.IO packet as an Engine.IO packet, and one for each attachment."""
    encoded = packet.encode()
    return [Packet(MESSAGE, part) for part in (encoded if isinstance(encoded, list) else [encoded])]


def append_offset(packets: list[Packet], offset: str) -> list[Packet]:
    """Add the offset as last argument of the event."""
    first, *attachments = packets
    return [Packet(MESSAGE, f'{first.data[:-1]},"{offset}"]'), *attachments]


def _size(packet: Any) -> int:
    data = getattr(packet, "data", None)
    return len(data) if isinstance(data, (str, bytes, bytearray)) else 0
