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
from tests.support.sentinel import SentinelRedis, sentinel_redis
from tests.support.waiting import eventually, wait_until

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SentinelRedis]:
    with sentinel_redis(tmp_path_factory.mktemp("sentinel")) as store:
        yield store


async def test_the_client_follows_the_master(store: SentinelRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_DATABASE_URL", store.url)
    client = create_redis(RedisSettings())
    await client.set("a", 1)
    store.fail_over()

    async def writes() -> bool:
        try:
            return bool(await client.incr("a"))
        except RedisError:
            return False

    await eventually(writes)
    await client.aclose()


async def test_events_arrive_before_and_after_a_failover(store: SentinelRedis) -> None:
    server = AsyncServer(client_manager=RedisManager(EventBus(store.url)))

    @server.on("ping")
    async def ping() -> None: ...

    async with aclosing(RedisEmitter(store.url)) as worker, SocketClient(server.asgi(FastAPI())) as client:
        await eventually(lambda: server.manager.is_listening)

        async def arrives(number: int) -> bool:
            await worker.emit("news", number)  # lost while a failover is under way
            return ("news", number) in client.waiting

        await eventually(lambda: arrives(1))
        store.fail_over()
        await eventually(lambda: arrives(2))
    await server.shutdown()


def test_runs_are_recorded(store: SentinelRedis) -> None:
    history = RunHistory(store.url)
    with blocking_client(store.url) as client:

        def records() -> int:
            history.record(RunEvent(id=uuid4(), name="system.ping"))  # lost while the failover before is under way
            return int(client.xlen(STREAM))

        wait_until(records)
