"""Calls of the stores that are cancelled at any moment: the client must work again once its store does."""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from src.core.resources import Resources
from src.core.storage.minio_storage import MinioStorage
from src.core.stores.documents import create_mongo
from src.core.stores.redis_client import create_redis
from src.core.stores.sql import create_engine
from tests.support.proxy import Proxy, proxied
from tests.support.waiting import eventually

pytestmark = pytest.mark.process

FAULTS = ["hang", "refuse", "reset"]
SECONDS = 0.5
CALLERS = 200

Call = Callable[[], Awaitable[object]]


@asynccontextmanager
async def postgres(resources: Resources) -> AsyncIterator[tuple[Call, Proxy]]:
    async with proxied(os.environ["SQL_DATABASE_URL"]) as (url, proxy):
        changes: dict[str, Any] = {"database_url": SecretStr(url), "pool_size": 2, "max_overflow": 0}
        changes |= dict.fromkeys(
            ("connect_timeout_seconds", "command_timeout_seconds", "pool_timeout_seconds"), SECONDS
        )
        engine = create_engine(resources.settings.sql.model_copy(update=changes))

        async def call() -> None:
            async with engine.begin() as connection:
                await connection.execute(text("SELECT 1"))

        yield call, proxy
        await proxy.heal()
        await engine.dispose()


@asynccontextmanager
async def redis(resources: Resources) -> AsyncIterator[tuple[Call, Proxy]]:
    async with proxied(os.environ["REDIS_DATABASE_URL"]) as (url, proxy):
        changes = {"database_url": SecretStr(url), "timeout_seconds": SECONDS, "max_connections": 100}
        client = create_redis(resources.settings.redis.model_copy(update=changes))

        async def call() -> None:
            await client.ping()
            await client.xread({"test:none": "$"}, block=1)  # on a connection of its own

        yield call, proxy
        await client.aclose()


@asynccontextmanager
async def mongo(resources: Resources) -> AsyncIterator[tuple[Call, Proxy]]:
    async with proxied(os.environ["MONGO_DATABASE_URL"]) as (url, proxy):
        changes = {"database_url": SecretStr(url), "timeout_seconds": 2 * SECONDS}
        client = create_mongo(resources.settings.mongo.model_copy(update=changes))
        yield lambda: client.admin.command("ping"), proxy
        await client.close()


@asynccontextmanager
async def s3(resources: Resources) -> AsyncIterator[tuple[Call, Proxy]]:
    async with proxied(os.environ["MINIO_ENDPOINT"]) as (url, proxy):
        changes = {"endpoint_setting": url, "timeout_seconds": SECONDS}
        storage = MinioStorage(resources.settings.s3.model_copy(update=changes))
        yield storage.check, proxy
        await asyncio.to_thread(storage.close)


async def cancelled(call: Call, seconds: float) -> None:
    """Run a call, and cancel it after so many seconds."""
    task = asyncio.ensure_future(call())
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()


async def works(call: Call) -> bool:
    try:
        await call()
    except Exception:
        return False
    return True


@pytest.mark.parametrize("store", [postgres, redis, mongo, s3])
class TestACancelledCall:
    @pytest.mark.parametrize("fault", FAULTS)
    async def test_during_an_outage_leaves_a_client_that_works_afterwards(
        self, resources: Resources, store: Any, fault: str
    ) -> None:
        chance = random.Random(fault)  # noqa: S311 - moments
        async with store(resources) as (call, proxy):
            await call()
            getattr(proxy, fault)()
            # Most of them just after a timeout of the client, while it takes its locks again.
            moments = [
                chance.choice([SECONDS, 2 * SECONDS, chance.uniform(0, SECONDS)]) + chance.uniform(0, 0.03)
                for _ in range(CALLERS)
            ]
            async with asyncio.timeout(30):
                await asyncio.gather(*(cancelled(call, seconds) for seconds in moments))
                await proxy.heal()
                await eventually(lambda: works(call), 10)
                await asyncio.gather(*(call() for _ in range(4)))

    async def test_at_any_of_its_steps_leaves_a_client_that_works(self, resources: Resources, store: Any) -> None:
        async with store(resources) as (call, _), asyncio.timeout(30):
            await call()
            for steps in range(60):
                task = asyncio.ensure_future(call())
                for _ in range(steps):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
                task.cancelled() or task.exception()
            await asyncio.gather(*(call() for _ in range(4)))
