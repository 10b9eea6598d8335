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
    """Lets the blocked threads go on."""
    return threading.Event()


@pytest.fixture
def pool(release: threading.Event) -> Iterator[HashPool]:
    """One thread, and room for one more to wait."""
    pool = HashPool(1, 1)
    yield pool
    release.set()
    pool.close()


async def fill(pool: HashPool, release: threading.Event) -> list["asyncio.Task[bool]"]:
    tasks = [asyncio.create_task(pool.run(release.wait)) for _ in range(2)]
    await asyncio.sleep(0)
    return tasks


class TestRow27HashPool:
    async def test_it_answers_what_the_function_returns(self, pool: HashPool) -> None:
        assert await pool.run(pow, 2, 10) == 1024

    async def test_it_raises_what_the_function_raises(self, pool: HashPool) -> None:
        with pytest.raises(ZeroDivisionError):
            await pool.run(divmod, 1, 0)

    async def test_the_loop_goes_on_while_a_thread_works(self, pool: HashPool, release: threading.Event) -> None:
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

    async def test_whoever_was_in_line_is_served(self, pool: HashPool, release: threading.Event) -> None:
        tasks = await fill(pool, release)
        release.set()
        assert await asyncio.gather(*tasks) == [True, True]

    async def test_a_place_is_free_again_after_the_work(self, pool: HashPool, release: threading.Event) -> None:
        tasks = await fill(pool, release)
        release.set()
        await asyncio.gather(*tasks)
        await asyncio.sleep(0.01)
        assert await pool.run(pow, 2, 2) == 4

    async def test_a_caller_that_gives_up_keeps_its_place_while_the_work_goes_on(
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
