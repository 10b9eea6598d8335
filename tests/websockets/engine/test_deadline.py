"""Work that takes too long is cancelled, and nothing else is."""

import asyncio

import pytest

from src.websockets.engine.deadline import Deadline

pytestmark = pytest.mark.unit


async def forever() -> None:
    await asyncio.Event().wait()


async def test_what_is_late_ends_in_the_order_in_which_it_began() -> None:
    deadline, ended = Deadline(0.02), []

    async def run(name: str) -> None:
        with pytest.raises(TimeoutError):
            await deadline.run(forever)
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

    assert await deadline.run(quick) == "done"
    await asyncio.sleep(0.03)
    with pytest.raises(TimeoutError):
        await deadline.run(forever)


async def test_none_is_endless() -> None:
    task = asyncio.create_task(Deadline(None).run(forever))
    assert not (await asyncio.wait([task], timeout=0.02))[0]
    task.cancel()


async def test_a_cancellation_from_outside_stays_one() -> None:
    task = asyncio.create_task(Deadline(60).run(forever))
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

    assert await Deadline(0.01).run(stubborn) == "done"
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
