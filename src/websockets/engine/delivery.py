"""Delivers events to the clients of this process, by a queue of packets for each."""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from engineio.packet import MESSAGE, Packet

from src.websockets.limits import Limits
from src.websockets.recovery import MAX_MISSED_EVENTS, Offset, RecoverableSession

Post = Callable[[str, list[Packet]], bool]
"""Queues packets for a transport; returns False if that is closed."""


class Event:
    """An encoded event.

    Args:
        packets: The event, and its attachments.
        namespace: Where it is sent.
        before: How far this process had come before the event.
        offset: How far it has come with it; None if the event is not in the stream.

    Attributes:
        is_own: Whether this process has emitted it.
    """

    __slots__ = ("_packets_with_offset", "before", "is_own", "namespace", "offset", "packets", "text")

    def __init__(self, packets: list[Packet], namespace: str, before: Offset, offset: Offset | None) -> None:
        self.packets, self.namespace, self.before, self.offset = packets, namespace, before, offset
        self.text = None if offset is None else str(offset)
        self.is_own = offset is not None and offset.number != before.number
        self._packets_with_offset: list[Packet] | None = None
        if offset:
            packets[0].preceded_by = namespace, before

    @property
    def packets_with_offset(self) -> list[Packet]:
        """The same, with the offset as last argument of the event."""
        if self._packets_with_offset is None:
            first, *attachments = self.packets
            with_offset = Packet(MESSAGE, f'{first.data[:-1]},"{self.text}"]')
            with_offset.preceded_by = self.namespace, self.before
            self._packets_with_offset = [with_offset, *attachments]
        return self._packets_with_offset

    def after_replay(self, position: int) -> "Event | None":
        """What is sent to a client to which the stream was replayed up to a position; None if it was replayed."""
        if self.offset is None or self.offset.position > position:
            return self
        if not self.is_own:
            return None
        first, *attachments = self.packets
        packets = [Packet(MESSAGE, first.data), *attachments]
        return Event(packets, self.namespace, self.before.at_least(position), self.offset.at_least(position))


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

    def discard_all(self) -> dict[str, Offset]:
        """Discard all packets; returns, by namespace, how far the process had come before the first event."""
        sent: dict[str, Offset] = {}
        while not self.empty():
            if preceded_by := getattr(self.get_nowait(), "preceded_by", None):
                sent.setdefault(*preceded_by)
            self.task_done()
        return sent

    def _put(self, item: Any) -> None:
        self.size_bytes += _size(item)
        super()._put(item)

    def _get(self) -> Any:
        item = super()._get()
        self.size_bytes -= _size(item)
        return item


class ReturningClient:
    """A client to which missed events are replayed; it is one until this process has handled those events too.

    Attributes:
        session: Its session.
        waiting: Live events, oldest first; the client cannot be recovered once there are 1,000. None after the replay.
    """

    def __init__(self, session: RecoverableSession) -> None:
        self.session = session
        self.waiting: deque[Event] | None = deque(maxlen=MAX_MISSED_EVENTS)

    @property
    def is_overrun(self) -> bool:
        """Whether so many events wait that some may have been discarded."""
        return self.waiting is not None and len(self.waiting) == self.waiting.maxlen


class Delivery:
    """Sends an event to many clients, and records it for session recovery.

    Attributes:
        handled: How far this process has come in the stream, and with its own events.
        sessions: By session id, the sessions that their clients may recover.
        returning: By session id, the clients that are recovering, or have been replayed what is still to be handled.
        pending_connects: By session id, the rooms of clients whose connect handler still runs; they get no broadcasts.
    """

    def __init__(self) -> None:
        self.handled = Offset()
        self.sessions: dict[str, RecoverableSession] = {}
        self.returning: dict[str, ReturningClient] = {}
        self.pending_connects: dict[str, set[str]] = {}

    def send(self, event: Event, recipients: Iterable[tuple[str, str]], post: Post, skip: Collection[str] = ()) -> None:
        """Queue the same packets for each recipient, given by session and transport id, without a task for each.

        Args:
            event: Gets its offset as last argument for clients that track offsets.
            recipients: May include those to skip.
            post: Queues packets for a transport.
            skip: Session ids.
        """
        sessions = self.sessions if event.offset else {}
        returning = self.returning
        for sid, transport_id in recipients:
            if sid in skip:
                continue
            sent = self._accept(sid, event) if sid in returning else event
            if sent is None:
                continue
            session = sessions.get(sid)
            tracks_offset = session and session.client_tracks_offset
            is_posted = post(transport_id, sent.packets_with_offset if tracks_offset else sent.packets)
            if session and is_posted:
                session.last_sent = sent.text
            elif session:
                session.refuse(sent.before)

    def sent_by_now(self, session: RecoverableSession) -> Offset:
        """What has been sent to the client of a session."""
        return self.handled.at_least(session.replayed_until)

    def hold(self, session: RecoverableSession) -> ReturningClient:
        """Let live events for the client of a session wait until `release`."""
        self.sessions[session.sid] = session
        self.returning[session.sid] = returning = ReturningClient(session)
        return returning

    def release(self, sid: str, transport_id: str, missed: Sequence[Event], last_own: int, post: Post) -> None:
        """Send the missed events, then those that waited and were not among them.

        Args:
            sid: The client's session id.
            transport_id: Of its transport.
            missed: Oldest first.
            last_own: The number of the last event of this process among them.
            post: Queues packets for a transport.
        """
        recipients, returning = [(sid, transport_id)], self.returning.pop(sid)
        for event in missed:
            self.send(event, recipients, post)
        waiting, returning.waiting, self.returning[sid] = returning.waiting or (), None, returning
        for event in waiting:
            if not (event.is_own and event.offset and event.offset.number <= last_own):
                self.send(event, recipients, post)

    def end(self, session: RecoverableSession) -> None:
        """Forget a session whose connection has ended; its client is still in its rooms until its handler returns."""
        del self.sessions[session.sid]
        self.returning.pop(session.sid, None)

    def _accept(self, sid: str, event: Event) -> Event | None:
        """What is to be sent now to a returning client; None if the event waits, or was replayed."""
        returning = self.returning[sid]
        if returning.waiting is not None:
            returning.waiting.append(event)
            return None
        accepted = event.after_replay(self.sessions[sid].replayed_until)
        if accepted is event and event.offset:
            del self.returning[sid]
        return accepted


def encode(packet: Any) -> list[Packet]:
    """Encode a Socket.IO packet as an Engine.IO packet, and one for each attachment."""
    encoded = packet.encode()
    return [Packet(MESSAGE, part) for part in (encoded if isinstance(encoded, list) else [encoded])]


def _size(packet: Any) -> int:
    data = getattr(packet, "data", None)
    return len(data) if isinstance(data, (str, bytes, bytearray)) else 0
