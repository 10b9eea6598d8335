import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any, NamedTuple, Self, TypeVar

from socketio import packet

from src.websockets.testing.transport import Refused, Transport

T = TypeVar("T")


class Received(NamedTuple):
    """An event from the server; `data` is None if it has no argument, a tuple if it has several."""

    event: str
    data: Any


class Session:
    """A client in one namespace; `SocketClient.join` creates it.

    Attributes:
        opened: Data of the server's CONNECT packet.
        waiting: Received events that `receive` has not returned yet. When an ack has arrived, so has everything that
            was sent before it.
        answers: By event, functions that return the ack, for `server.call`; those events are not received.
    """

    def __init__(self, transport: Transport, namespace: str, auth: Any, timeout: float) -> None:
        loop = asyncio.get_running_loop()
        self.namespace = namespace
        self.opened: dict[str, Any] = {}
        self.waiting: deque[Received] = deque()
        self.answers: dict[str, Callable[..., Any]] = {}
        self._transport = transport
        self._auth = auth
        self._timeout = timeout
        self._ids = count(1)
        self._acks: dict[int, asyncio.Future[Any]] = {}
        self._arrived = asyncio.Event()
        self._connected: asyncio.Future[dict[str, Any]] = loop.create_future()
        self._ended: asyncio.Future[str] = loop.create_future()
        transport.closed.add_done_callback(lambda _: self._end("transport close"))
        transport.sessions[namespace] = self._take

    @property
    def sid(self) -> str:
        """The session id that the server assigned."""
        return str(self.opened["sid"])

    async def connect(self) -> Self:
        """Send the connect packet.

        Raises:
            Refused: The server refuses the client.
        """
        self._send(packet.CONNECT, self._auth)
        self.opened = await self._in_time(self._connected)
        return self

    async def emit(self, event: str, *args: Any) -> None:
        """Send an event without requesting an ack."""
        self._send(packet.EVENT, [event, *args])

    async def call(self, event: str, *args: Any) -> Any:
        """Send an event and return its ack: None if it is empty, a tuple if it has several values."""
        number = next(self._ids)
        self._acks[number] = asyncio.get_running_loop().create_future()
        self._send(packet.EVENT, [event, *args], number)
        return await self._in_time(self._acks[number])

    async def receive(self) -> Received:
        """Return the next event from the server.

        Raises:
            TimeoutError: None has arrived.
            ConnectionError: The connection has ended.
        """
        while not self.waiting:
            if self._ended.done():
                raise ConnectionError(self._ended.result())
            self._arrived.clear()
            await self._in_time(self._arrived.wait())
        return self.waiting.popleft()

    async def disconnect(self) -> None:
        """Send the DISCONNECT packet."""
        if not self._ended.done():
            self._send(packet.DISCONNECT)
            self._end("io client disconnect")

    async def disconnected(self) -> str:
        """Wait until the connection has ended; returns the reason by its name in the JavaScript client.

        It is one of `io server disconnect`, `io client disconnect` and `transport close`.
        """
        return await self._in_time(asyncio.shield(self._ended))

    async def _in_time(self, awaitable: Awaitable[T]) -> T:
        async with asyncio.timeout(self._timeout):
            return await awaitable

    def _send(self, kind: int, data: Any = None, number: int | None = None) -> None:
        self._transport.send(packet.Packet(kind, data, self.namespace, number))

    def _take(self, received: packet.Packet) -> None:
        match received.packet_type:
            case packet.CONNECT:
                self._connected.set_result(received.data)
            case packet.CONNECT_ERROR:
                self._connected.set_exception(Refused(received.data))
            case packet.DISCONNECT:
                self._end("io server disconnect")
            case packet.ACK | packet.BINARY_ACK:
                if not (ack := self._acks.pop(received.id)).done():
                    ack.set_result(_unpack(received.data))
            case packet.EVENT | packet.BINARY_EVENT:
                self._receive_event(received)

    def _receive_event(self, received: packet.Packet) -> None:
        event, *args = received.data
        if event in self.answers:
            answer = self.answers[event](*args)
            if received.id is not None:
                self._send(packet.ACK, [answer], received.id)
        else:
            self.waiting.append(Received(event, _unpack(args)))
            self._arrived.set()

    def _end(self, reason: str) -> None:
        if self._ended.done():
            return
        self._ended.set_result(reason)
        self._arrived.set()
        for waiting in (self._connected, *self._acks.values()):
            if not waiting.done():
                waiting.set_exception(ConnectionError(reason))
                waiting.exception()  # retrieved, in case nobody waits for it


def _unpack(values: list[Any] | None) -> Any:
    if not values:
        return None
    return values[0] if len(values) == 1 else tuple(values)
