import asyncio
import threading
from collections.abc import Iterator

import pytest

from src.core.exceptions import ServiceUnavailableError
from src.core.security.hashing import HashPool
from tests.support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.unit


@pytest.fixture
def release() -> threading.Event:
    """Unblocks the threads."""
    return threading.Event()


@pytest.fixture
def pool(release: threading.Event) -> Iterator[HashPool]:
    """One thread, and a queue of one."""
    pool = HashPool(1, 1)
    yield pool
    release.set()
    pool.close()


async def fill(pool: HashPool, release: threading.Event) -> list["asyncio.Task[bool]"]:
    tasks = [asyncio.create_task(pool.run(release.wait)) for _ in range(2)]
    await asyncio.sleep(0)
    return tasks


class TestRow27HashPool:
    async def test_it_returns_the_result(self, pool: HashPool) -> None:
        assert await pool.run(pow, 2, 10) == 1024

    async def test_it_raises_what_the_function_raises(self, pool: HashPool) -> None:
        with pytest.raises(ZeroDivisionError):
            await pool.run(divmod, 1, 0)

    async def test_the_event_loop_runs_while_a_thread_works(self, pool: HashPool, release: threading.Event) -> None:
        work = asyncio.create_task(pool.run(release.wait))
        await asyncio.sleep(0.01)
        release.set()  # a blocked loop would never get here
        assert await work

    async def test_a_full_queue_is_refused_with_503(self, pool: HashPool, release: threading.Event) -> None:
        tasks = await fill(pool, release)
        with pytest.raises(ServiceUnavailableError) as refusal:
            await asyncio.wait_for(pool.run(pow, 2, 2), PATIENCE_SECONDS)
        assert refusal.value.headers["Retry-After"] == "1"
        release.set()
        await asyncio.gather(*tasks)

    async def test_queued_work_runs(self, pool: HashPool, release: threading.Event) -> None:
        tasks = await fill(pool, release)
        release.set()
        assert await asyncio.gather(*tasks) == [True, True]

    async def test_finished_work_frees_its_place(self, pool: HashPool, release: threading.Event) -> None:
        tasks = await fill(pool, release)
        release.set()
        await asyncio.gather(*tasks)
        await asyncio.sleep(0.01)
        assert await pool.run(pow, 2, 2) == 4

    async def test_a_cancelled_caller_keeps_its_place_while_the_work_runs(
        self, pool: HashPool, release: threading.Event
    ) -> None:
        running = asyncio.create_task(pool.run(release.wait))
        await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait([running])
        waiting = asyncio.create_task(pool.run(release.wait))
        await asyncio.sleep(0.01)
        with pytest.raises(ServiceUnavailableError):
            await asyncio.wait_for(pool.run(pow, 2, 2), PATIENCE_SECONDS)
        release.set()
        await waiting
