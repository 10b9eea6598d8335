from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import socketio
from starlette.types import ASGIApp

from src.websockets.testing.session import Session
from src.websockets.testing.transport import Transport


class SocketClient(Session):
    """A client with its own transport; `async with` connects and disconnects it.

    Args:
        app: The application that `server.asgi(app)` returns, or a server.
        auth: The `auth` payload of the connect packet.
        headers: Those of the handshake.
        namespace: Where to connect.
        path: Where the server is mounted.
        timeout: Seconds to wait for any response; then `TimeoutError` is raised.
    """

    def __init__(
        self,
        app: ASGIApp | socketio.AsyncServer,
        *,
        auth: Any = None,
        headers: Mapping[str, str] | None = None,
        namespace: str = "/",
        path: str = "/socket.io/",
        timeout: float = 3,
    ) -> None:
        application = socketio.ASGIApp(app) if isinstance(app, socketio.AsyncServer) else app
        super().__init__(Transport(application, path, headers or {}), namespace, auth, timeout)

    async def __aenter__(self) -> Self:
        """Connect.

        Raises:
            Refused: The server refuses the client.
        """
        await self._in_time(self._transport.open())
        try:
            return await self.connect()
        except BaseException:
            await self._transport.close()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Disconnect; returns when the server's disconnect handlers have ended."""
        await self.disconnect()
        await self._transport.close()

    async def join(self, namespace: str, auth: Any = None) -> Session:
        """Connect to another namespace on the same transport.

        Raises:
            Refused: The server refuses the client.
        """
        return await Session(self._transport, namespace, auth, self._timeout).connect()

    async def cut(self) -> None:
        """Close the transport without a packet, like a network failure."""
        await self._transport.close()
