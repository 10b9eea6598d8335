import asyncio
from collections.abc import Sequence

from socketio import AsyncRedisManager

from src.core.emissions import Emissions
from src.utils.wire import to_wire

PUBLISH_SECONDS = 1
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

    Args:
        url: The Redis that the servers listen on.
        promised: What clients are told to expect; None to send anything.
    """

    def __init__(self, url: str, promised: Emissions | None = None) -> None:
        self._manager = AsyncRedisManager(url, write_only=True)
        self._promised = promised

    def check(self, event: str, data: object) -> None:
        """Raise `EmissionError` where a strict server would."""
        if self._promised is not None:
            self._promised.check(event, data)

    async def emit(self, event: str, data: object, *, room: str | None = None, namespace: str = "/") -> None:
        """Emit to everyone in `room`, or to everyone in the namespace."""
        await self._manager.emit(event, to_wire(data), namespace=namespace, room=room)

    async def disconnect(self, room: str | Sequence[str], *, spare: str | None = None) -> None:
        """Ask the servers to end the connections of everyone in `room` (or rooms), but for those in `spare` as well."""
        message = {"method": "disconnect_room", "room": room, "spare": spare, "namespace": "/", "body": SESSION_ENDED}
        async with asyncio.timeout(PUBLISH_SECONDS):
            await self._manager._publish({**message, "host_id": self._manager.host_id})

    @property
    def is_listening(self) -> bool:
        """Nobody is connected to this process."""
        return True

    async def aclose(self) -> None:
        """Close the connection, if one was ever needed."""
        if self._manager.redis is not None:
            await self._manager.redis.aclose()
