from collections.abc import Sequence

from src.websockets.server import AsyncServer


class SocketEmitter:
    """Sends events from this process's own server: the unit of work's `EventEmitter`."""

    def __init__(self, server: AsyncServer) -> None:
        self._server = server

    def check(self, event: str, data: object) -> None:
        """Raise where a strict server would."""
        self._server.check_emission(event, data)

    async def emit(self, event: str, data: object, *, room: str | None = None, namespace: str = "/") -> None:
        """Emit to everyone in `room`, or to everyone in the namespace; other processes are reached through Redis."""
        await self._server.emit(event, data, room=room, namespace=namespace)

    async def disconnect(self, room: str | Sequence[str], *, spare: str | None = None) -> None:
        """End the connections of everyone in `room` (or rooms), in all processes, but for those in `spare` as well."""
        await self._server.disconnect_room(room, spare=spare)

    @property
    def is_listening(self) -> bool:
        """Whether events of other processes arrive."""
        listening: bool = self._server.manager.is_listening
        return listening
