import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any, NamedTuple, Self, TypeVar

from socketio import packet

from src.websockets.testing.transport import Refused, Transport

T = TypeVar("T")


class Received(NamedTuple):
    """An event from the server; `data` is None without an argument, and a tuple of several."""

    event: str
    data: Any


class Session:
    """A client in one namespace, made by `SocketClient.join`.

    Attributes:
        opened: What the server said when it let the client in.
        waiting: Events that have come and were not taken; when an ack is there, all that was sent before it is, too.
        answers: Functions whose results are the acks of events, for `server.call`; other events wait for `receive`.
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
        self._news = asyncio.Event()
        self._let_in: asyncio.Future[dict[str, Any]] = loop.create_future()
        self._ended: asyncio.Future[str] = loop.create_future()
        transport.closed.add_done_callback(lambda _: self._end("transport close"))
        transport.sessions[namespace] = self._take

    @property
    def sid(self) -> str:
        """The session id that the server gave."""
        return str(self.opened["sid"])

    async def connect(self) -> Self:
        """Send the connect packet.

        Raises:
            Refused: The server does not let the client in.
        """
        self._send(packet.CONNECT, self._auth)
        self.opened = await self._in_time(self._let_in)
        return self

    async def emit(self, event: str, *args: Any) -> None:
        """Send an event without asking for an ack."""
        self._send(packet.EVENT, [event, *args])

    async def call(self, event: str, *args: Any) -> Any:
        """Send an event and return its ack: None when it is empty, a tuple when it holds several values."""
        number = next(self._ids)
        self._acks[number] = asyncio.get_running_loop().create_future()
        self._send(packet.EVENT, [event, *args], number)
        return await self._in_time(self._acks[number])

    async def receive(self) -> Received:
        """Take the next event of the server; it has to come in time."""
        while not self.waiting:
            if self._ended.done():
                raise ConnectionError(self._ended.result())
            self._news.clear()
            await self._in_time(self._news.wait())
        return self.waiting.popleft()

    async def disconnect(self) -> None:
        """Leave the namespace, with a word to the server."""
        if not self._ended.done():
            self._send(packet.DISCONNECT)
            self._end("io client disconnect")

    async def disconnected(self) -> str:
        """Wait for the end; returns the reason as the JavaScript client names it.

        One of `io server disconnect`, `io client disconnect` and `transport close`.
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
                self._let_in.set_result(received.data)
            case packet.CONNECT_ERROR:
                self._let_in.set_exception(Refused(received.data))
            case packet.DISCONNECT:
                self._end("io server disconnect")
            case packet.ACK | packet.BINARY_ACK:
                if not (ack := self._acks.pop(received.id)).done():
                    ack.set_result(_unpack(received.data))
            case packet.EVENT | packet.BINARY_EVENT:
                self._hear(received)

    def _hear(self, received: packet.Packet) -> None:
        event, *args = received.data
        if event in self.answers:
            answer = self.answers[event](*args)
            if received.id is not None:
                self._send(packet.ACK, [answer], received.id)
        else:
            self.waiting.append(Received(event, _unpack(args)))
            self._news.set()

    def _end(self, reason: str) -> None:
        if self._ended.done():
            return
        self._ended.set_result(reason)
        self._news.set()
        for waiting in (self._let_in, *self._acks.values()):
            if not waiting.done():
                waiting.set_exception(ConnectionError(reason))
                waiting.exception()  # seen, should nobody wait for it any more


def _unpack(values: list[Any] | None) -> Any:
    if not values:
        return None
    return values[0] if len(values) == 1 else tuple(values)
