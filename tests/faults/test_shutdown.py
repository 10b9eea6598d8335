"""Endless loops on a store end when they are cancelled, at whatever moment: otherwise the process could not stop."""

import asyncio
import os
import random

import pytest

from src.core.realtime.event_bus import EventBus
from src.websockets.engine.subscriber import Subscriber
from tests.support.proxy import proxied

pytestmark = pytest.mark.process


class TestTheSubscriberOfEvents:
    @pytest.mark.parametrize("fault", ["hang", "delay", "refuse"])
    async def test_ends_once_it_is_cancelled(self, fault: str) -> None:
        """redis-py swallows a few percent of the cancellations that arrive while it connects."""
        chance = random.Random(fault)  # noqa: S311 - moments
        async with proxied(os.environ["REDIS_DATABASE_URL"]) as (url, proxy):
            getattr(proxy, fault)()

            async def receive() -> None:
                async for _ in Subscriber(EventBus(url), lambda: None).messages():
                    pass

            async def cancelled() -> asyncio.Task[None]:
                task = asyncio.create_task(receive())
                await asyncio.sleep(chance.choice([1, chance.uniform(0, 1)]) + chance.uniform(-0.002, 0.004))
                task.cancel()
                await asyncio.wait([task], timeout=5)
                return task

            tasks = await asyncio.gather(*(cancelled() for _ in range(200)))
        running = [task for task in tasks if not task.done()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        assert running == []
