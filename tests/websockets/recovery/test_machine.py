"""Whatever breaks when: a client that is told `recovered` has everything, once and in order.

One client and numbered events, on two processes that are stopped and killed. A kill is imitated: nothing that the
process writes from then on reaches Redis.
"""

import asyncio
from collections import Counter, defaultdict
from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from src.queues.emitter import RedisEmitter
from src.websockets.server import AsyncServer
from src.websockets.testing import SocketClient
from tests.support.waiting import eventually
from tests.websockets.recovery.conftest import REPLAY, create

ROOM = "room"
LAG_SECONDS = 0.001
NUMBERS = st.integers(0, 1)
STEPS = st.one_of(
    st.tuples(st.just("emit"), st.sampled_from(["0", "1", "worker"]), st.integers(1, 12)),
    st.tuples(st.just("together"), st.integers(1, 12)),
    st.tuples(st.just("deafen")),
    st.tuples(st.just("cut")),
    st.tuples(st.just("come"), NUMBERS),
    st.tuples(st.just("stop"), NUMBERS),
    st.tuples(st.just("kill"), NUMBERS),
    st.tuples(st.just("crash"), st.integers(1, 12), st.integers(0, 4)),
    st.tuples(st.just("pause"), st.floats(0, 0.02)),
)


class Machine:
    """Two processes, a worker, and a client that checks what it receives."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.worker = RedisEmitter(url, REPLAY)
        self.servers: list[AsyncServer] = []
        self.names: list[str] = []
        self.apps: list[Any] = []
        self.sent: Counter[str] = Counter()
        self.client: SocketClient | None = None
        self.at = 0
        self.is_deaf = False
        self.pid: str | None = None
        self.offset: str | None = None
        self.received: defaultdict[str, list[int]] = defaultdict(list)
        self.base: Counter[str] = Counter()

    def start(self, number: int) -> None:
        """Put a new process in a place."""
        server = create(self.url, REPLAY)
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
        await self.come(0)
        for name, *arguments in steps:
            await getattr(self, name)(*arguments)
            self.listen()
        await self.finish()

    async def close(self) -> None:
        await self.cut()
        for server in self.servers:
            await server.shutdown()
        await self.worker.aclose()

    async def emit(self, sender: str, count: int) -> None:
        name = sender if sender == "worker" else self.names[int(sender)]
        for _ in range(count):
            number, self.sent[name] = self.sent[name], self.sent[name] + 1
            emitter: Any = self.worker if sender == "worker" else self.servers[int(sender)]
            await emitter.emit("news", (name, number), room=ROOM)

    async def together(self, count: int) -> None:
        await asyncio.gather(*(self.emit(sender, count) for sender in ("0", "1", "worker")))

    async def deafen(self) -> None:
        """What is sent from now on is lost; nobody notices."""
        self.listen()
        self.is_deaf = True

    async def cut(self) -> None:
        if self.client is not None:
            self.listen()
            await self.client.cut()
            self.listen()
            self.client = None

    async def come(self, number: int) -> None:
        if self.client is not None:
            return
        client = SocketClient(
            self.apps[number], auth={"recover": True, "pid": self.pid, "offset": self.offset, "user": "a"}, timeout=20
        )
        await client.__aenter__()
        self.client, self.at, self.is_deaf = client, number, False
        await eventually(lambda: self.servers[number].manager.is_listening)
        if client.opened["pid"] == self.pid:
            return
        self.pid, self.offset = client.opened["pid"], None
        await client.call("join", ROOM)
        await asyncio.sleep(0.2)  # what was emitted before has arrived
        client.waiting.clear()
        self.received.clear()
        self.base = Counter(self.sent)

    async def stop(self, number: int) -> None:
        server = self.servers[number]
        if self.client is not None and self.at == number:
            self.listen()
            await server.shutdown()
            await self.cut()
        else:
            await server.shutdown()
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
        while self.client is not None and self.client.waiting:
            event, data = self.client.waiting.popleft()
            if not self.is_deaf and event == "news":
                name, number, self.offset = data
                self.received[name].append(number)

    async def finish(self) -> None:
        """Return, and compare all that was sent with what came."""
        if self.is_deaf:
            await self.cut()
        await self.come(1)

        def is_complete() -> bool:
            self.listen()
            return all(len(self.received[name]) >= count - self.base[name] for name, count in self.sent.items())

        with suppress(AssertionError):
            await eventually(is_complete, 20)
        await asyncio.sleep(20 * LAG_SECONDS)
        self.listen()
        expected = {name: list(range(self.base[name], count)) for name, count in self.sent.items()}
        assert {name: self.received[name] for name in expected} == expected


@pytest.mark.slow
@settings(
    phases=[Phase.generate], max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(STEPS, min_size=5, max_size=25))
async def test_recovered_clients_have_everything_once_and_in_order(url: str, steps: list[Any]) -> None:
    async with AsyncExitStack() as stack:
        machine = Machine(url)
        stack.push_async_callback(machine.close)
        await machine.run(steps)
