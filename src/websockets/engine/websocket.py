"""A client's websocket."""

import asyncio
from contextlib import suppress
from typing import Any

from engineio.async_drivers import asgi
from engineio.async_socket import AsyncSocket
from engineio.exceptions import EngineIOError
from engineio.packet import Packet

_CLOSE_SECONDS = 1
# What Engine.IO and its JSON make of bytes that are no packet.
_PROTOCOL_ERRORS = ValueError, IndexError, RecursionError, EngineIOError
_ENGINE_LOOPS = AsyncSocket._websocket_handler


class WebSocket(asgi.WebSocket):  # type: ignore[misc]  # its base is untyped
    """A websocket that can be given up while the client reads nothing.

    Engine.IO starts several tasks for each packet. It still does for clients that polled first, since it knows how to
    change over, and where the Admin UI counts packets; everybody else is served by the two loops here.
    """

    def __init__(self, handler: Any, server: Any) -> None:
        super().__init__(handler, server)
        self._socket = handler.__self__
        self._socket.websocket = self
        self._server = server
        self.handler = handler
        self._busy: dict[str, asyncio.Task[Any] | None] = {}
        self._silence: asyncio.Timeout | None = None

    async def __call__(self, environ: dict[str, Any]) -> str:
        """Serve the client until it leaves, or is given up."""
        if not self._socket.connected and getattr(self.handler, "__func__", None) is _ENGINE_LOOPS:
            self._socket.connected = self._socket.upgraded = True
            self.handler = self._serve
        return str(await super().__call__(environ))

    async def wait(self) -> Any:
        """The next message of the client."""
        self._busy["reader"] = asyncio.current_task()
        return await super().wait()

    async def send(self, message: Any) -> None:
        """Hand a message to the network, which may have to wait for the client to read."""
        self._busy["writer"] = asyncio.current_task()
        await super().send(message)

    async def close(self) -> None:
        """Say goodbye, if the client still listens."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await super().close()

    def abort(self) -> None:
        """End both directions; the transport then ends as if the network had failed."""
        if self._silence is not None:
            self._silence.reschedule(0)
        for task in self._busy.values():
            if task is not None:
                task.cancel()

    async def _serve(self, _: Any) -> None:
        writer = self._busy["writer"] = asyncio.create_task(self._write())
        reason = self._server.reason.TRANSPORT_CLOSE
        try:
            await self._read()
        except TimeoutError:
            reason = self._server.reason.PING_TIMEOUT
        finally:
            if not writer.done():
                await self._socket.queue.put(None)
                await asyncio.wait([writer], timeout=_CLOSE_SECONDS)
            if not writer.done():  # the client reads nothing, and would hold the connection and its queue for ever
                writer.cancel()
                await asyncio.wait([writer])
                self._socket.queue.drop()
            await self._socket.close(wait=False, abort=True, reason=reason)
            self._socket.ping.cancel()

    async def _read(self) -> None:
        """Take packets until the client leaves or breaks the protocol.

        Raises:
            TimeoutError: It says nothing, not even a pong.
        """
        allowed = self._server.ping_interval + self._server.ping_timeout
        now = asyncio.get_running_loop().time
        try:
            async with asyncio.timeout(allowed) as self._silence:
                while (event := await self.asgi_receive())["type"] == "websocket.receive":
                    self._silence.reschedule(now() + allowed)
                    data = event.get("text") or event.get("bytes") or ""
                    if len(data) > self._server.max_http_buffer_size:
                        break
                    await self._socket.receive(Packet(encoded_packet=data))
        except _PROTOCOL_ERRORS:
            pass
        finally:
            self._silence = None

    async def _write(self) -> None:
        queue, send = self._socket.queue, self.asgi_send
        with suppress(asyncio.CancelledError, OSError, RuntimeError):
            while (packet := await queue.get()) is not None:
                text = packet.encode()
                kind = "bytes" if packet.binary else "text"
                await send({"type": "websocket.send", kind: text})
                queue.task_done()
            queue.task_done()  # the end as well: whoever waits for what is queued waits for it, too
        await self.close()
