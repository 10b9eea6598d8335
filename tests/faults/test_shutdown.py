"""How processes end: loops that can be cancelled at whatever moment, and an API that drains first."""

import asyncio
import os
import random
import re
import signal
import sys
from pathlib import Path

import httpx
import pytest

from src.core.draining import draining, is_draining
from src.core.realtime.event_bus import EventBus
from src.websockets.engine.subscriber import Subscriber
from tests.support.process import Process
from tests.support.proxy import proxied
from tests.support.waiting import eventually

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


class TestDraining:
    @pytest.mark.parametrize("signals", [1, 2], ids=["after a while", "at a second signal"])
    async def test_reaches_the_earlier_handler(self, signals: int) -> None:
        received: list[int] = []

        async def leave() -> None:
            received.append(0)

        earlier = signal.signal(signal.SIGTERM, lambda number, _: received.append(number))
        try:
            with draining(60 if signals == 2 else 0.2, leave):
                signal.raise_signal(signal.SIGTERM)
                assert (is_draining(), received) == (True, [])
                if signals == 2:
                    signal.raise_signal(signal.SIGTERM)
                await eventually(lambda: received == ([signal.SIGTERM] if signals == 2 else [0, signal.SIGTERM]))
            assert not is_draining()
        finally:
            signal.signal(signal.SIGTERM, earlier)

    async def test_is_not_ready_and_serves(self, tmp_path: Path) -> None:
        command = [sys.executable, "-m", "uvicorn", "src.main:app", "--port", "0"]
        with Process(command, tmp_path / "output", os.environ | {"DRAIN_SECONDS": "600"}) as api:
            await asyncio.to_thread(api.wait_for, "running on")
            url = re.findall(r"running on (http://[\d.:]+)", api.output)[0]
            async with httpx.AsyncClient(base_url=url, timeout=30) as client:
                assert (await client.get("/readyz")).json()["status"] == "ok"
                api.psutil.terminate()
                await eventually(lambda: '"draining"' in api.output)
                ready, other = await client.get("/readyz"), await client.get("/api/v1/auth/keys/public")
            assert other.headers["Connection"] == "close"
            assert (ready.status_code, ready.json()["status"], "Retry-After" in ready.headers) == (
                503,
                "draining",
                True,
            )
            assert other.status_code == 200
            assert await asyncio.to_thread(api.stop) in (0, -signal.SIGTERM)
