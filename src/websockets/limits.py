"""How much one client, and all strangers together, may ask of a server."""

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a server; whoever passes one is refused, and dropped if they go on.

    Attributes:
        events_per_second: Events of one client in the long run.
        burst: Events of one client at once.
        running: Events of one client that run at the same time; the others of a burst wait.
        strikes: Refused events, one of which is forgiven each second, before the client is dropped.
        queued_packets: Packets that wait for one client to read them.
        queued_bytes: Their size.
        attachments: Binary attachments of one event.
        payload_bytes: Size of one packet.
        connect_seconds: How long a transport may stay without being accepted in a namespace.
        strangers: Transports without a namespace that a process holds at a time.
        drain_seconds: How long running events may take to end when the server shuts down.
    """

    events_per_second: float = 100
    burst: int = 200
    running: int = 32
    strikes: int = 100
    queued_packets: int = 2000
    queued_bytes: int = 4 * 1024 * 1024
    attachments: int = 10
    payload_bytes: int = 256 * 1024
    connect_seconds: float = 20
    strangers: int = 1000
    drain_seconds: float = 3


class TokenBucket:
    """Lets `size` through at once and `per_second` in the long run."""

    __slots__ = ("_at", "_left", "_per_second", "_size")

    def __init__(self, per_second: float, size: float) -> None:
        self._per_second = per_second
        self._size = self._left = size
        self._at = time.monotonic()

    def take(self) -> bool:
        """Whether there is one left, which is then gone."""
        now = time.monotonic()
        self._left = min(self._size, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
