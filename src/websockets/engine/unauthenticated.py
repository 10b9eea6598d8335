import asyncio
from collections.abc import Callable


class UnauthenticatedConnections:
    """Transports that no namespace has accepted: limited in number and in time.

    Args:
        maximum: How many a process holds.
        seconds: How long one may stay.
        close: Called with the id of a transport whose time is over.
    """

    def __init__(self, maximum: int, seconds: float, close: Callable[[str], None]) -> None:
        self._maximum = maximum
        self._seconds = seconds
        self._close = close
        self._deadlines: dict[str, asyncio.TimerHandle] = {}

    @property
    def is_full(self) -> bool:
        """Whether another one has to be rejected."""
        return len(self._deadlines) >= self._maximum

    def add(self, transport_id: str) -> None:
        """Add a transport, and start its time anew."""
        self.remove(transport_id)
        loop = asyncio.get_running_loop()
        self._deadlines[transport_id] = loop.call_later(self._seconds, self._close, transport_id)

    def remove(self, transport_id: str) -> None:
        """Remove a transport that was accepted by a namespace, or is closed."""
        if deadline := self._deadlines.pop(transport_id, None):
            deadline.cancel()
