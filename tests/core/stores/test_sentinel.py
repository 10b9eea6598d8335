"""Redis behind Sentinel: the shared client, Socket.IO's events, and the run history follow the master."""

from collections.abc import Iterator
from contextlib import aclosing
from uuid import uuid4

import pytest
from fastapi import FastAPI
from redis.exceptions import RedisError

from src.core.config.stores import RedisSettings
from src.core.realtime.event_bus import EventBus
from src.core.stores.redis_client import create_redis
from src.core.tasks.run_event import STREAM, RunEvent
from src.queues.emitter import RedisEmitter
from src.queues.results.run_history import RunHistory
from src.utils.redis_pool import blocking_client
from src.websockets.engine.overrides import RedisManager
from src.websockets.server import AsyncServer
from src.websockets.testing import SocketClient
from tests.support.sentinel import Behind, sentinel
from tests.support.waiting import eventually, wait_until


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    with sentinel(tmp_path_factory.mktemp("sentinel")) as behind:
        yield behind


async def test_the_client_follows_the_master(behind: Behind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_DATABASE_URL", behind.url)
    client = create_redis(RedisSettings())
    await client.set("a", 1)
    behind.fail_over()

    async def writes() -> bool:
        try:
            return bool(await client.incr("a"))
        except RedisError:
            return False

    await eventually(writes)
    await client.aclose()


async def test_events_arrive_before_and_after_a_failover(behind: Behind) -> None:
    server = AsyncServer(client_manager=RedisManager(EventBus(behind.url)))

    @server.on("ping")
    async def ping() -> None: ...

    async with aclosing(RedisEmitter(behind.url)) as worker, SocketClient(server.asgi(FastAPI())) as client:
        await eventually(lambda: server.manager.is_listening)

        async def arrives(number: int) -> bool:
            await worker.emit("news", number)  # lost while a failover is under way
            return ("news", number) in client.waiting

        await eventually(lambda: arrives(1))
        behind.fail_over()
        await eventually(lambda: arrives(2))
    await server.shutdown()


def test_runs_are_recorded(behind: Behind) -> None:
    history = RunHistory(behind.url)
    with blocking_client(behind.url) as client:

        def records() -> int:
            history.record(RunEvent(id=uuid4(), name="system.ping"))  # lost while the failover before is under way
            return int(client.xlen(STREAM))

        wait_until(records)
