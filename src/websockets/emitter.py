from src.websockets.server import AsyncServer


class SocketEmitter:
    """Sends events from this process's own server: the unit of work's `EventEmitter`."""

    def __init__(self, server: AsyncServer) -> None:
        self._server = server

    async def emit(self, event: str, data: object, *, room: str | None = None, namespace: str = "/") -> None:
        """Emit to everyone in `room`, or to everyone in the namespace; other processes are reached through Redis."""
        await self._server.emit(event, data, room=room, namespace=namespace)
