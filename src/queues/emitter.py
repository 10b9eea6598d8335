from socketio import AsyncRedisManager

from src.utils.wire import to_wire


class RedisEmitter:
    """Reaches browsers through the Socket.IO servers: the unit of work's `EventEmitter` in a process without sockets.

    Args:
        url: The Redis that the servers listen on.
    """

    def __init__(self, url: str) -> None:
        self._manager = AsyncRedisManager(url, write_only=True)

    async def emit(self, event: str, data: object, *, room: str | None = None, namespace: str = "/") -> None:
        """Emit to everyone in `room`, or to everyone in the namespace."""
        await self._manager.emit(event, to_wire(data), namespace=namespace, room=room)

    async def aclose(self) -> None:
        """Close the connection, if one was ever needed."""
        if self._manager.redis is not None:
            await self._manager.redis.aclose()
