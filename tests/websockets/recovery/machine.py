import asyncio
from collections import Counter, defaultdict
from contextlib import suppress
from itertools import count
from typing import Any

from fastapi import FastAPI

from src.queues.emitter import RedisEmitter
from src.websockets.limits import Limits
from src.websockets.server import AsyncServer
from src.websockets.testing import SocketClient
from tests.support.waiting import PATIENCE_SECONDS, eventually
from tests.websockets.recovery.poller import PollingClient
from tests.websockets.recovery.recoverable import REPLAY, create

ROOM = "room"
LAG_SECONDS = 0.001
LIMITS = Limits(burst=50, violations=20, queued_packets=400)


class WebSocketClient(SocketClient):
    """`SocketClient`, used like `PollingClient`."""

    @property
    def has_ended(self) -> bool:
        return self._ended.done()

    async def emit(self, event: str, *args: Any, times: int = 1) -> None:
        for _ in range(times):
            await super().emit(event, *args)


class Machine:
    """Two processes, a worker, and a client that checks what it receives.

    A kill is imitated: nothing that the process writes from then on reaches Redis.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.worker = RedisEmitter(url, REPLAY)
        self.servers: list[AsyncServer] = []
        self.names: list[str] = []
        self.apps: list[Any] = []
        self.sent: Counter[str] = Counter()
        self.marks = count()
        self.client: WebSocketClient | PollingClient | None = None
        self.abandoned: list[WebSocketClient | PollingClient] = []
        self.at = 0
        self.is_deaf = False
        self.pid: str | None = None
        self.offset: str | None = None
        self.received: defaultdict[str, list[int]] = defaultdict(list)
        self.base: Counter[str] = Counter()
        self.recoveries = 0

    def start(self, number: int) -> None:
        """Put a new process in a place."""
        server = create(self.url, REPLAY, LIMITS)
        manager: Any = server.manager
        handle = manager._handle_emit

        async def handle_late(message: Any) -> None:
            await asyncio.sleep(LAG_SECONDS)
            await handle(message)

        manager._handle_emit = handle_late
        self.servers[number : number + 1] = [server]
        self.apps[number : number + 1] = [server.asgi(FastAPI())]
        self.names[number : number + 1] = [f"{number}.{len(self.sent)}.{id(server)}"]

    async def run(self, steps: list[Any]) -> None:
        for number in (0, 1):
            self.start(number)
        await self.come(0, "websocket")
        for name, *arguments in steps:
            await getattr(self, name)(*arguments)
            self.listen()
        await self.finish()

    async def close(self) -> None:
        await self.cut()
        for server in self.servers:
            await server.shutdown()
        for client in self.abandoned:
            await client.cut()
        await self.worker.aclose()

    async def emit(self, sender: str, count: int) -> None:
        for _ in range(count):
            await self._emit(sender)

    async def together(self, count: int) -> None:
        await asyncio.gather(*(self.emit(sender, count) for sender in ("0", "1", "worker")))

    async def storm(self, sender: str, count: int) -> None:
        """More than a client reads, or recovers, without a pause."""
        await asyncio.gather(*(self._emit(sender) for _ in range(count)))

    async def flood(self, count: int) -> None:
        """The client sends more than it may, maybe so much that it is dropped."""
        if self.client is not None and not self.client.has_ended:
            await self.client.emit("join", ROOM, times=count)
            with suppress(ConnectionError):
                await self.client.call("join", ROOM)

    async def deafen(self) -> None:
        """What is sent from now on is lost; nobody notices."""
        self.listen()
        self.is_deaf = True

    async def cut(self) -> None:
        """The network fails, and the server notices."""
        self.listen()
        if self.client is not None:
            client, self.client = self.client, None
            await client.cut()
            await self._notice(client)

    async def abandon(self) -> None:
        """The network fails, and the server does not notice."""
        self.listen()
        if self.client is not None:
            self.abandoned.append(self.client)
            self.client = None

    async def come(self, number: int, transport: str) -> None:
        if self.client is not None:
            return
        auth = {"recover": True, "pid": self.pid, "offset": self.offset, "user": "a"}
        client: WebSocketClient | PollingClient = (
            PollingClient(self.apps[number], auth)
            if transport == "polling"
            else WebSocketClient(self.apps[number], auth=auth, timeout=PATIENCE_SECONDS)
        )
        await client.__aenter__()
        self.client, self.at, self.is_deaf = client, number, False
        await eventually(lambda: self.servers[number].manager.is_listening)
        if client.opened["pid"] == self.pid:
            self.recoveries += 1
            return
        self.pid = client.opened["pid"]
        assert await client.call("join", ROOM) in (None, [])
        mark = next(self.marks)
        await self.worker.emit("mark", mark, room=client.opened["sid"])
        await eventually(
            lambda: any(event == "mark" and data[0] == mark for event, data in client.waiting),
            5 * PATIENCE_SECONDS,  # the server may have thousands of events to handle first, each with its lag
        )
        self.offset = client.waiting[-1].data[-1]
        client.waiting.clear()  # what was emitted before has arrived as well
        self.received.clear()
        self.base = Counter(self.sent)

    async def stop(self, number: int) -> None:
        server = self.servers[number]
        self.listen()
        await server.shutdown()
        if self.client is not None and self.at == number:
            await self.cut()
        self.start(number)

    async def kill(self, number: int) -> None:
        server = self.servers[number]
        assert server.recovery
        store: Any = server.recovery.store

        async def lost(_add: object) -> None:
            return None

        store._write = lost
        manager: Any = server.manager
        if manager.thread is not None:
            manager.thread.cancel()
            with suppress(asyncio.CancelledError):
                await manager.thread
            manager.thread = None
        if self.client is not None and self.at == number:
            await self.cut()
        await server.shutdown()
        self.start(number)

    async def crash(self, others: int, own: int) -> None:
        """Kill the client's process when it has not yet handled what others emitted before its own events."""
        await self.emit("worker", others)
        await self.emit(str(self.at), own)
        await self.kill(self.at)

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def listen(self) -> None:
        """Take what has arrived."""
        if self.client is None:
            return
        while self.client.waiting:
            event, data = self.client.waiting.popleft()
            if not self.is_deaf and event == "news":
                name, number, self.offset = data
                self.received[name].append(number)
        if self.client.has_ended:
            self.abandoned.append(self.client)
            self.client = None

    async def finish(self) -> None:
        """Return, and compare all that was sent with what came."""
        if self.is_deaf:
            await self.cut()

        async def is_complete() -> bool:
            self.listen()
            await self.come(1, "websocket")  # again, if it was dropped for reading too slowly
            return all(len(self.received[name]) >= count - self.base[name] for name, count in self.sent.items())

        with suppress(AssertionError):
            await eventually(is_complete, 20)
        await asyncio.sleep(20 * LAG_SECONDS)
        self.listen()
        expected = {name: list(range(self.base[name], count)) for name, count in self.sent.items()}
        received = {name: self.received[name] for name in expected}
        assert received == expected, f"{received} instead of {expected}"

    async def _emit(self, sender: str) -> None:
        name = sender if sender == "worker" else self.names[int(sender)]
        number, self.sent[name] = self.sent[name], self.sent[name] + 1
        emitter: Any = self.worker if sender == "worker" else self.servers[int(sender)]
        await emitter.emit("news", (name, number), room=ROOM)

    async def _notice(self, client: WebSocketClient | PollingClient) -> None:
        """Let the server notice that a client polls no more; it has noticed the end of a websocket."""
        if isinstance(client, PollingClient):
            engine = self.servers[self.at].eio
            if socket := engine.sockets.get(client.transport_id):
                await socket.close(wait=False, abort=True, reason=engine.reason.PING_TIMEOUT)
