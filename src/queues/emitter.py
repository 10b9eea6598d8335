from collections.abc import Sequence
from contextlib import suppress

from src.core.realtime.event_bus import EventBus, EventBusError, ReplaySettings
from src.core.realtime.event_registry import EventRegistry
from src.utils.wire import to_wire

# What the servers say to whom they disconnect themselves.
SESSION_ENDED = {
    "code": 1008,
    "event": "connect",
    "message": "Session Ended.",
    "data": None,
    "error": "auth.session_ended",
}


class RedisEmitter:
    """Reaches browsers through the Socket.IO servers: the unit of work's `EventEmitter` in a process without sockets.

    Within a second or not at all, which the log then says: events are hints.

    Args:
        url: The Redis that the servers listen on.
        memory: What is kept for clients that come back; as the servers have it.
        declared: What clients are told to expect; None to send anything.
    """

    def __init__(self, url: str, memory: ReplaySettings | None = None, declared: EventRegistry | None = None) -> None:
        self._channel = EventBus(url, memory)
        self._declared = declared

    def check(self, event: str, data: object) -> None:
        """Raise `UndeclaredEventError` where a strict server would."""
        if self._declared is not None:
            self._declared.check(event, data)

    async def emit(self, event: str, data: object, *, room: str | None = None, namespace: str = "/") -> None:
        """Emit to everyone in `room`, or to everyone in the namespace."""
        with suppress(EventBusError):
            await self._channel.publish(self._channel.emit(event, to_wire(data), namespace, room))

    async def disconnect(self, room: str | Sequence[str], *, spare: str | None = None) -> None:
        """Ask the servers to end the connections of everyone in `room` (or rooms), but for those in `spare` as well."""
        with suppress(EventBusError):
            await self._channel.publish(self._channel.disconnect(room, spare, SESSION_ENDED))

    @property
    def is_listening(self) -> bool:
        """Nobody is connected to this process."""
        return True

    async def aclose(self) -> None:
        """Close the connections, if any were needed."""
        await self._channel.redis.aclose()
