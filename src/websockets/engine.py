"""The transports under the server: bounded queues, and an end for those who read nothing."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import engineio
from engineio.async_drivers import asgi

_CLOSE_SECONDS = 1


class SendQueue(asyncio.Queue[Any]):
    """What waits for a client to read it, and its size in bytes."""

    size_bytes = 0

    def _put(self, item: Any) -> None:
        self.size_bytes += _size(item)
        super()._put(item)

    def _get(self) -> Any:
        item = super()._get()
        self.size_bytes -= _size(item)
        return item

    def drop(self) -> None:
        """Forget everything."""
        while not self.empty():
            self.get_nowait()
            self.task_done()


class WebSocket(asgi.WebSocket):  # type: ignore[misc]  # its base is untyped
    """A websocket that can be given up while the client reads nothing."""

    def __init__(self, handler: Any, server: Any) -> None:
        super().__init__(handler, server)
        self._busy: dict[str, asyncio.Task[Any] | None] = {}
        handler.__self__.websocket = self

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
        """End both directions; Engine.IO then ends the transport as if the network had failed."""
        for task in self._busy.values():
            if task is not None:
                task.cancel()


class Engine(engineio.AsyncServer):  # type: ignore[misc]  # its base is untyped
    """`engineio.AsyncServer` whose clients have to read what they are sent.

    Attributes:
        queued_packets: Packets that may wait for one client.
        queued_bytes: Their size.
        overflowed: Called with the id of a transport that reads too slowly.
    """

    queued_packets: int
    queued_bytes: int
    overflowed: Callable[[str], None]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._async: dict[str, Any] = {**asgi._async, "websocket": WebSocket}

    def create_queue(self, *_args: Any, **_options: Any) -> SendQueue:
        """A queue for a new transport."""
        return SendQueue()

    async def send_packet(self, sid: str, pkt: Any) -> None:
        """Queue a packet for a transport."""
        self.post(sid, (pkt,))

    def post(self, sid: str, packets: Iterable[Any]) -> None:
        """Queue packets for a transport, all of them or none; whoever is gone gets nothing."""
        socket = self.sockets.get(sid)
        if socket is None or socket.closed or socket.closing:
            return
        queue: SendQueue = socket.queue
        for packet in packets:
            queue.put_nowait(packet)
        if queue.size_bytes > self.queued_bytes or queue.qsize() > self.queued_packets:
            self.overflowed(sid)


def _size(packet: Any) -> int:
    data = getattr(packet, "data", None)
    return len(data) if isinstance(data, (str, bytes, bytearray)) else 0
