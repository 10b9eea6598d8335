import asyncio

import pytest

from src.utils.single_flight import SingleFlight

pytestmark = pytest.mark.unit


class Work:
    """Counts its runs; each waits for an event."""

    def __init__(self, error: Exception | None = None) -> None:
        self.runs = 0
        self.go = asyncio.Event()
        self.error = error

    async def __call__(self) -> int:
        self.runs += 1
        await self.go.wait()
        if self.error is not None:
            raise self.error
        return self.runs


async def start(single_flight: SingleFlight, work: Work, count: int, key: str = "key") -> list["asyncio.Task[int]"]:
    tasks = [asyncio.create_task(single_flight.do(key, work)) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


class TestSingleFlight:
    async def test_callers_at_the_same_time_share_one_run(self) -> None:
        work = Work()
        tasks = await start(SingleFlight(), work, 20)
        work.go.set()
        assert await asyncio.gather(*tasks) == [1] * 20

    async def test_another_key_is_another_run(self) -> None:
        single_flight, work = SingleFlight(), Work()
        tasks = [*await start(single_flight, work, 1, "one"), *await start(single_flight, work, 1, "two")]
        work.go.set()
        await asyncio.gather(*tasks)
        assert work.runs == 2

    async def test_a_later_caller_starts_another_run(self) -> None:
        single_flight, work = SingleFlight(), Work()
        work.go.set()
        assert [await single_flight.do("key", work), await single_flight.do("key", work)] == [1, 2]

    async def test_all_callers_get_the_error(self) -> None:
        work = Work(ConnectionError("gone"))
        tasks = await start(SingleFlight(), work, 3)
        work.go.set()
        assert [str(error) for error in await asyncio.gather(*tasks, return_exceptions=True)] == ["gone"] * 3

    async def test_an_error_is_not_remembered(self) -> None:
        single_flight, work = SingleFlight(), Work(ConnectionError())
        work.go.set()
        with pytest.raises(ConnectionError):
            await single_flight.do("key", work)
        work.error = None
        assert await single_flight.do("key", work) == 2

    async def test_a_cancelled_caller_leaves_the_result_to_the_others(self) -> None:
        work = Work()
        first, second = await start(SingleFlight(), work, 2)
        first.cancel()
        await asyncio.wait([first])
        work.go.set()
        assert await second == 1
