"""Waiting for a connection."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine

from src.core.config.sql import SQLSettings
from src.core.resources import Resources
from src.core.stores.sql import create_engine

SIZE = 4


def settings(resources: Resources, seconds: float = 10) -> SQLSettings:
    update = {"pool_size": SIZE, "max_overflow": 0, "pool_timeout_seconds": seconds}
    return resources.settings.sql.model_copy(update=update)


@pytest.fixture
async def engine(resources: Resources) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(settings(resources))
    yield engine
    await engine.dispose()


class TestFairPool:
    async def test_serves_callers_in_the_order_in_which_they_asked(self, engine: AsyncEngine) -> None:
        asked: list[int] = []
        served: list[int] = []
        numbers = iter(range(10_000))

        async def use(times: int) -> None:
            for _ in range(times):
                number = next(numbers)
                asked.append(number)
                async with engine.connect() as connection:
                    served.append(number)
                    await connection.execute(text("SELECT pg_sleep(0.002 * random())"))

        await asyncio.gather(*(use(1) for _ in range(SIZE)))  # opens the connections
        asked.clear()
        served.clear()
        await asyncio.gather(*(use(30) for _ in range(32)))
        assert served == asked

    async def test_a_caller_that_is_cancelled_leaves_its_place(self, engine: AsyncEngine) -> None:
        held = [await engine.connect() for _ in range(SIZE)]
        waiting = [asyncio.create_task(engine.connect().start()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await held[0].close()
        async with asyncio.timeout(5):
            await (await waiting[1]).close()
            await (await waiting[2]).close()
        with pytest.raises(asyncio.CancelledError):
            _ = await waiting[0]
        for connection in held[1:]:
            await connection.close()

    async def test_a_connection_given_to_a_caller_cancelled_at_that_moment_is_given_to_the_next(
        self, engine: AsyncEngine
    ) -> None:
        held = [await engine.connect() for _ in range(SIZE)]
        waiting = [asyncio.create_task(engine.connect().start()) for _ in range(2)]
        await asyncio.sleep(0)
        await held[0].close()
        waiting[0].cancel()
        async with asyncio.timeout(5):
            await (await waiting[1]).close()
        for connection in held[1:]:
            await connection.close()
        async with asyncio.timeout(5):
            for connection in [await engine.connect() for _ in range(SIZE)]:
                await connection.close()

    async def test_a_wait_ends_after_the_set_time(self, resources: Resources) -> None:
        engine = create_engine(settings(resources, 0.1))
        held = [await engine.connect() for _ in range(SIZE)]
        with pytest.raises(PoolTimeoutError):
            _ = await engine.connect()
        for connection in held:
            await connection.close()
        async with engine.connect():
            pass
        await engine.dispose()
