"""The transports under the server: bounded queues, and an end for those who read nothing."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import engineio
from engineio.async_drivers import asgi
from engineio.async_socket import AsyncSocket
from engineio.packet import MESSAGE, Packet

from src.websockets.engine.websocket import WebSocket


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

    def start_background_task(self, target: Any, *args: Any, **options: Any) -> asyncio.Task[Any]:
        """Run something; of a socket that is its next ping, which waits for long and can be ended by its `ping`."""
        task: asyncio.Task[Any] = super().start_background_task(target, *args, **options)
        socket = getattr(target, "__self__", None)
        if isinstance(socket, AsyncSocket):
            socket.ping = task
        return task

    async def _trigger_event(self, event: str, *args: Any, run_async: bool = False) -> Any:
        """Hand over a message without a task for it; whoever takes it lets no exception out."""
        if event == "message" and not run_async:
            return await self.handlers[event](*args)
        return await super()._trigger_event(event, *args, run_async=run_async)

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


def enveloped(packet: Any) -> list[Packet]:
    """A Socket.IO packet as Engine.IO's: one, and one for each attachment."""
    encoded = packet.encode()
    return [Packet(MESSAGE, part) for part in (encoded if isinstance(encoded, list) else [encoded])]


def _size(packet: Any) -> int:
    data = getattr(packet, "data", None)
    return len(data) if isinstance(data, (str, bytes, bytearray)) else 0
