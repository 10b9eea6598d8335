"""Delivers events to the clients of this process, by a queue of packets for each."""

import asyncio
from collections.abc import Callable, Collection, Iterable
from typing import Any

from engineio.packet import MESSAGE, Packet

from src.websockets.limits import Limits
from src.websockets.recovery import RecoverableSession

Post = Callable[[str, list[Packet]], None]
"""Queues packets for a transport."""


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

    def discard_all(self) -> None:
        """Discard all packets."""
        while not self.empty():
            self.get_nowait()
            self.task_done()

    def _put(self, item: Any) -> None:
        self.size_bytes += _size(item)
        super()._put(item)

    def _get(self) -> Any:
        item = super()._get()
        self.size_bytes -= _size(item)
        return item


class Delivery:
    """Sends an event to many clients, and records it for session recovery.

    Attributes:
        sessions: By session id, the sessions that their clients may recover.
        pending_connects: Session ids of clients whose connect handler still runs; they get no broadcasts.
    """

    def __init__(self) -> None:
        self.sessions: dict[str, RecoverableSession] = {}
        self.pending_connects: set[str] = set()

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
        for sid, transport_id in recipients:
            if sid in skip:
                continue
            session = sessions.get(sid)
            if session and offset:
                session.sent.append(offset)
            post(transport_id, with_offset if session and session.client_tracks_offset else packets)

    def replay(self, sid: str, transport_id: str, packets: list[Packet], post: Post, offset: str) -> None:
        """Send a missed event to a recovered session, unless it was sent meanwhile."""
        if offset not in self.sessions[sid].sent:
            self.send(packets, [(sid, transport_id)], post, (), offset)


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
