import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from starlette.types import Receive, Send

from src.utils.deadline import Deadline, Limit
from src.websockets.engine.delivery import SendQueue

_CLOSE_SECONDS = 1


class WebSocketLoops:
    """Serves one websocket by two loops: a reader whose time begins again with each message, and a writer.

    Engine.IO's own loops start a task for each message in each direction, which is a quarter of the CPU of a small
    event (docs/adr/0021).

    Args:
        queue: Packets to send.
        take: Handles a message; raises one of `protocol_errors` to end the connection.
        close: Closes the websocket.
        protocol_errors: What `take` raises for invalid messages.
        max_bytes: Size of a message.
        silence: How long the client may send nothing; after that it counts as gone.
    """

    def __init__(
        self,
        queue: SendQueue,
        take: Callable[[str | bytes], Awaitable[None]],
        close: Callable[[], Awaitable[None]],
        *,
        protocol_errors: tuple[type[Exception], ...],
        max_bytes: int,
        silence: Deadline,
    ) -> None:
        self._queue = queue
        self._take = take
        self._close = close
        self._protocol_errors = protocol_errors
        self._max_bytes = max_bytes
        self._silence = silence
        self._limit: Limit | None = None
        self._writer: asyncio.Task[None] | None = None

    async def run(self, receive: Receive, send: Send) -> None:
        """Serve the client until it leaves, sends an invalid message, or `abort` is called.

        Raises:
            TimeoutError: The client was silent for too long, or `abort` was called.
        """
        writer = self._writer = asyncio.create_task(self._write(send))
        try:
            await self._read(receive)
        finally:
            if not writer.done():
                await self._queue.put(None)
                await asyncio.wait([writer], timeout=_CLOSE_SECONDS)
            if not writer.done():  # the client reads nothing, and would hold the connection and its queue for ever
                writer.cancel()
                await asyncio.wait([writer])
                self._queue.discard_all()

    def abort(self) -> None:
        """End both loops now."""
        # Later, because the reader itself may call this, and end before it waits again: the wait after it would end.
        asyncio.get_running_loop().call_soon(self._end_reading)
        if self._writer is not None:
            self._writer.cancel()

    def _end_reading(self) -> None:
        if self._limit is not None:
            self._limit.cancel()

    async def _read(self, receive: Receive) -> None:
        try:
            with self._silence.limit() as self._limit:
                while (event := await receive())["type"] == "websocket.receive":
                    self._limit.restart()
                    data: str | bytes = event.get("text") or event.get("bytes") or ""
                    if len(data) > self._max_bytes:
                        break
                    await self._take(data)
        except self._protocol_errors:
            pass
        finally:
            self._limit = None

    async def _write(self, send: Send) -> None:
        queue = self._queue
        with suppress(asyncio.CancelledError, OSError, RuntimeError):
            while (packet := await queue.get()) is not None:
                text: Any = packet.encode()
                await send({"type": "websocket.send", "bytes" if packet.binary else "text": text})
                queue.task_done()
            queue.task_done()  # the end counts as well: `SendQueue.join` waits for it
        await self._close()
