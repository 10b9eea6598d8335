"""Work that takes too long is cancelled, and nothing else is."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from src.utils.deadline import Deadline
from tests.support.waiting import patience

pytestmark = pytest.mark.unit

T = TypeVar("T")


async def forever() -> None:
    await asyncio.Event().wait()


async def limited(deadline: Deadline, work: Callable[[], Awaitable[T]]) -> T:
    with deadline.limit():
        return await work()


async def test_what_is_late_ends_in_the_order_in_which_it_began() -> None:
    deadline, ended = Deadline(0.02), []

    async def run(name: str) -> None:
        with pytest.raises(TimeoutError):
            await limited(deadline, forever)
        ended.append(name)

    async with asyncio.TaskGroup() as tasks:
        for name in "abc":
            tasks.create_task(run(name))
            await asyncio.sleep(0.005)
    assert ended == ["a", "b", "c"]


async def test_what_ends_in_time_returns_and_is_not_cancelled_later() -> None:
    deadline = Deadline(0.01)

    async def quick() -> str:
        return "done"

    assert await limited(deadline, quick) == "done"
    await asyncio.sleep(0.03)
    with pytest.raises(TimeoutError):
        await limited(deadline, forever)


async def test_none_is_endless() -> None:
    task = asyncio.create_task(limited(Deadline(None), forever))
    assert not (await asyncio.wait([task], timeout=0.02))[0]
    task.cancel()


async def test_a_cancellation_from_outside_stays_one() -> None:
    task = asyncio.create_task(limited(Deadline(60), forever))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_work_that_ends_by_itself_while_it_is_cancelled_leaves_its_task_uncancelled() -> None:
    async def stubborn() -> str:
        try:
            await forever()
        except asyncio.CancelledError:
            return "done"
        raise AssertionError

    assert await limited(Deadline(0.01), stubborn) == "done"
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_restarted_limit_has_the_whole_time_again_and_a_lifted_one_none() -> None:
    unit = 0.1 * patience()
    deadline = Deadline(4 * unit)
    with deadline.limit() as limit:
        for _ in range(3):
            await asyncio.sleep(1.5 * unit)
            limit.restart()
        limit.lift()
        limit.restart()
        await asyncio.sleep(4.5 * unit)
    with pytest.raises(TimeoutError):
        await limited(deadline, forever)


def test_each_event_loop_has_limits_of_its_own() -> None:
    deadline = Deadline(0.02)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            asyncio.run(limited(deadline, forever))


async def test_what_is_cancelled_twice_is_late_once() -> None:
    async def run() -> None:
        with Deadline(60).limit() as limit:
            limit.cancel()
            limit.cancel()
            await forever()

    with pytest.raises(TimeoutError):
        await asyncio.create_task(run())
