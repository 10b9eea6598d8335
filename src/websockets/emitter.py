from collections.abc import Sequence

from src.core.realtime.connected_client import ClientList
from src.websockets.server import AsyncServer


class SocketEmitter:
    """Implements `EventEmitter`, the unit of work's interface, by the server of this process."""

    def __init__(self, server: AsyncServer) -> None:
        self._server = server

    def check(self, event: str, data: object) -> None:
        """Raise `UndeclaredEventError` if the payload does not match its declaration."""
        self._server.convert_event(event, data)

    async def emit(self, event: str, data: object, *, room: str | None = None, namespace: str = "/") -> None:
        """Emit to everyone in `room` or in the namespace, in all processes."""
        await self._server.emit(event, data, room=room, namespace=namespace)

    async def disconnect(self, room: str | Sequence[str], *, except_room: str | None = None) -> None:
        """Disconnect everyone in `room` (or rooms), in all processes, except those also in `except_room`."""
        await self._server.disconnect_room(room, except_room=except_room)

    async def list_clients(self, room: str | None, limit: int) -> ClientList:
        """Find the clients in `room`, or all, in all processes."""
        return await self._server.list_clients(room, limit)

    @property
    def process(self) -> str:
        """The name by which the other processes know this one."""
        name: str = self._server.manager.process
        return name

    @property
    def is_listening(self) -> bool:
        """Whether events of other processes arrive."""
        listening: bool = self._server.manager.is_listening
        return listening
