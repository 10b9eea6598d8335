import asyncio
from contextlib import suppress
from typing import Any

import engineio
from engineio.async_drivers import asgi
from engineio.async_socket import AsyncSocket
from engineio.exceptions import EngineIOError
from engineio.packet import Packet

from src.websockets.engine.websocket_loops import WebSocketLoops

PROTOCOL_ERRORS = ValueError, IndexError, RecursionError, EngineIOError
"""What Engine.IO and its JSON parser raise for invalid packets."""

_CLOSE_SECONDS = 1
_ENGINE_LOOPS = AsyncSocket._websocket_handler
_reasons = engineio.AsyncServer.reason


class WebSocket(asgi.WebSocket):  # type: ignore[misc]  # its base is untyped
    """A websocket served by `WebSocketLoops`, which can be aborted while the client reads nothing.

    Engine.IO's loops still serve clients that polled first, since they know the upgrade, and sockets that the Admin UI
    instruments.
    """

    def __init__(self, handler: Any, server: Any) -> None:
        """Engine.IO passes the bound `AsyncSocket._websocket_handler`, which is the only way to its socket."""
        super().__init__(handler, server)
        self.handler = handler
        self._socket = handler.__self__
        self._socket.websocket = self
        self._engine_tasks: dict[str, asyncio.Task[Any] | None] = {}
        self._loops = WebSocketLoops(
            self._socket.queue,
            lambda data: self._socket.receive(Packet(encoded_packet=data)),
            self.close,
            protocol_errors=PROTOCOL_ERRORS,
            max_bytes=server.max_http_buffer_size,
            silence=server.silence,
        )

    async def __call__(self, environ: dict[str, Any]) -> str:
        """Engine.IO's loops start several tasks for each packet."""
        if not self._socket.connected and getattr(self.handler, "__func__", None) is _ENGINE_LOOPS:
            self._socket.connected = self._socket.upgraded = True
            self.handler = self._serve
        try:
            return str(await super().__call__(environ))
        except PROTOCOL_ERRORS:  # from Engine.IO's loops; a client whose upgrade failed goes on polling
            self._socket.upgrading = False
            if self._socket.upgraded:
                await self._socket.server.abort(self._socket)
            await self.close()
            return ""
        finally:
            self._release()

    def _release(self) -> None:
        """Break the reference cycles: the connection would stay until the garbage collector runs."""
        self._socket.websocket = None
        self.__dict__.clear()

    async def _serve(self, _: Any) -> None:
        reason = _reasons.TRANSPORT_CLOSE
        try:
            await self._loops.run(self.asgi_receive, self.asgi_send)
        except TimeoutError:
            reason = _reasons.PING_TIMEOUT
        finally:
            await self._socket.close(wait=False, abort=True, reason=reason)
            self._socket.ping.cancel()
            self._socket.ping = None

    async def wait(self) -> Any:
        """Engine.IO's reader can only be aborted through its task."""
        self._engine_tasks["reader"] = asyncio.current_task()
        return await super().wait()

    async def send(self, message: Any) -> None:
        """Engine.IO's writer can only be aborted through its task."""
        self._engine_tasks["writer"] = asyncio.current_task()
        await super().send(message)

    async def close(self) -> None:
        """Engine.IO waits without limit for a client that reads nothing."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await super().close()

    def abort(self) -> None:
        """End both directions; the transport then ends as after a network failure."""
        self._loops.abort()
        for task in self._engine_tasks.values():
            if task is not None:
                task.cancel()
