"""Polling clients of a process that receives SIGTERM recover like websockets."""

import asyncio
import json
import os
import secrets
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self

import aiohttp
import pytest

from src.core.realtime.event_bus import EventBus
from src.websockets.recovery import MAX_MISSED_EVENTS
from src.websockets.server import AsyncServer
from tests.support.process import Process as Program
from tests.support.waiting import PATIENCE_SECONDS, eventually
from tests.websockets.recovery.conftest import Open

pytestmark = pytest.mark.process

SEPARATOR = "\x1e"
CLOSE = "1"
Servers = list[tuple[AsyncServer, str]]


class Poller:
    """The polling transport by hand, without offsets."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self.http = http
        self.url = f"{url}/socket.io/?EIO=4&transport=polling"
        self.numbers: list[int] = []
        self.pid = ""

    async def open(self) -> Self:
        async with self.http.get(self.url) as response:
            self.url += f"&sid={json.loads((await response.text())[1:])['sid']}"
        await self.send("40{}")
        self.pid = json.loads((await self.poll())[0][2:])["pid"]
        return self

    async def send(self, packet: str) -> None:
        async with self.http.post(self.url, data=packet) as response:
            assert response.status == 200

    async def poll(self) -> list[str]:
        with suppress(aiohttp.ClientConnectionError):
            async with self.http.get(self.url) as response:
                return (await response.text()).split(SEPARATOR) if response.status == 200 else [CLOSE]
        return [CLOSE]

    async def listen(self) -> None:
        """Record the numbers of events until the server closes the transport."""
        packets: list[str] = []
        while CLOSE not in packets:
            packets = await self.poll()
            self.numbers += [json.loads(packet[2:])[1] for packet in packets if packet.startswith("42")]


class Talker:
    """Emits 0, 1, 2… to a room, then -1; so few that a client that is away has not missed too many."""

    def __init__(self, server: AsyncServer, room: str) -> None:
        self.is_done = asyncio.Event()
        self.task = asyncio.create_task(self._talk(server, room))

    async def _talk(self, server: AsyncServer, room: str) -> None:
        for number in range(MAX_MISSED_EVENTS // 2):
            if self.is_done.is_set():
                break
            await server.emit("news", number, room=room)
            await asyncio.sleep(0.005)
        await self.is_done.wait()
        await server.emit("news", -1, room=room)


class Process:
    """A server in a process of its own."""

    def __init__(self, http: aiohttp.ClientSession, running: Program, port: int) -> None:
        self._http, self._running = http, running
        self.url = f"http://127.0.0.1:{port}"
        self.name = ""

    async def serves(self) -> bool:
        with suppress(aiohttp.ClientConnectionError):
            async with self._http.get(self.url) as response:
                self.name = (await response.json())["name"]
        return bool(self.name)

    async def listens(self) -> bool:
        """Whether it hears other processes; a session from before that has a gap."""
        async with self._http.get(self.url) as response:
            return bool((await response.json())["is_listening"])

    def stop(self) -> None:
        self._running.psutil.terminate()

    async def kill(self, bus: EventBus) -> None:
        """Kill it, and wait until others know: until then its sessions are its own."""
        self._running.psutil.kill()

        async def is_gone() -> bool:
            return not await bus.is_alive(self.name)

        await eventually(is_gone)


@asynccontextmanager
async def started(http: aiohttp.ClientSession, log: Path, **environment: str) -> AsyncIterator[Process]:
    with socket.create_server(("127.0.0.1", 0)) as listener:  # others may take a port that is only known to be free
        command = sys.executable, "-m", "tests.websockets.recovery.stopping"
        running = Program(command, log, os.environ | environment, stdin=listener.makefile("rb"))
        process = Process(http, running, listener.getsockname()[1])
    with running:
        await eventually(process.serves)
        yield process


async def test_polling_clients_recover(servers: Servers, wire: Open, tmp_path: Path) -> None:
    room = secrets.token_hex(4)
    await wire(0)
    async with aiohttp.ClientSession() as http, started(http, tmp_path / "process") as process:
        await (await Poller(http, process.url).open()).send("41")  # now the process begins to listen to others
        await eventually(process.listens)
        client = await Poller(http, process.url).open()
        await client.send(f"421{json.dumps(['join', room])}")
        assert await client.poll() == ["431[]"]
        talker = Talker(servers[0][0], room)
        listening = asyncio.create_task(client.listen())
        await eventually(lambda: len(client.numbers) >= 20)
        process.stop()
        await asyncio.wait_for(listening, PATIENCE_SECONDS)
        again = await wire(1, recover=False, pid=client.pid)
        assert again.pid == client.pid
        talker.is_done.set()
        await talker.task
        numbers = client.numbers
        while numbers[-1] != -1:
            numbers.append((await again.event())[1])
        assert numbers == [*range(numbers[0], numbers[0] + len(numbers) - 1), -1]


async def test_what_a_polling_client_had_not_fetched_is_sent_again(servers: Servers, wire: Open) -> None:
    (first, url), _ = servers
    async with aiohttp.ClientSession() as http:
        client = await Poller(http, url).open()
        sid: Any = next(iter(first.manager.delivery.sessions))
        await first.emit("news", 1, to=sid)
        await first.shutdown()
        again = await wire(1, recover=False, pid=client.pid)
        assert again.pid == client.pid
        assert (await again.event()) == ["news", 1]
