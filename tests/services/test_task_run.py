"""What workers tell reaches the ledger once and for good, whatever it says and whoever writes it down."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from celery import states
from sqlmodel import delete

from src.core.resources import Resources
from src.core.tasks.run_event import STREAM, RunEvent
from src.crud.run_event import RunEventCRUD
from src.crud.task_run import TaskRunCRUD
from src.models.task_run import RunState, TaskRun
from src.services.task_run import TaskRunService
from src.utils.date import utc_now


class Book:
    """A run, as workers tell of it and as its readers see it."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self.id = uuid4()

    async def tell(self, state: str, **event: Any) -> None:
        await RunEventCRUD(self.resources.redis).add(RunEvent(id=self.id, state=state, **event))

    async def record(self) -> int:
        async with self.resources.unit_of_work() as uow:
            return await TaskRunService(self.resources, uow).record()

    async def read(self) -> TaskRun:
        async with self.resources.sessions() as session:
            run = await session.get(TaskRun, self.id)
        assert run is not None
        return run


@pytest.fixture
async def book(resources: Resources) -> AsyncIterator[Book]:
    await resources.redis.delete(STREAM)
    yield Book(resources)
    await resources.redis.delete(STREAM)
    async with resources.engine.begin() as connection:
        await connection.execute(delete(TaskRun))


class TestWhatNoRowCanHold:
    @pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
    async def test_it_is_written_down_in_other_words(self, book: Book, text: str) -> None:
        await book.tell(states.STARTED, args=[text], kwargs={text: [text]}, progress={"note": text})
        await book.tell(states.FAILURE, error=text, traceback=text)
        assert await book.record() == 2
        run = await book.read()
        assert (run.state, len(str(run.args[0])), len(str(run.error))) == (RunState.FAILURE, 3, 3)


class TestOrder:
    async def test_a_retry_that_ended_before_its_predecessor_had_said_so(self, book: Book) -> None:
        for state in (states.STARTED, states.STARTED, states.SUCCESS, states.RETRY):
            await book.tell(state, error="as planned" if state == states.RETRY else None)
        await book.record()
        run = await book.read()
        assert (run.state, run.error, run.attempts) == (RunState.SUCCESS, None, 2)

    async def test_a_start_that_was_overtaken_by_its_revocation(self, book: Book) -> None:
        for state in (states.REVOKED, states.STARTED):
            await book.tell(state)
            await book.record()
        run = await book.read()
        assert (run.state, run.finished_at is None) == (RunState.REVOKED, False)

    async def test_a_run_that_is_given_to_another_worker_goes_on(self, book: Book) -> None:
        for state in (states.STARTED, states.FAILURE, states.STARTED):
            await book.tell(state)
        await book.record()
        assert (await book.read()).is_finished is False


class TestTwoWhoWriteItDown:
    async def test_nothing_counts_twice(self, book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
        """One was about to, and is held up until another is done."""
        await book.tell(states.STARTED)
        lock, is_held_up, goes_on = TaskRunCRUD.lock, asyncio.Event(), asyncio.Event()

        async def slow_lock(runs: TaskRunCRUD) -> bool:
            if not is_held_up.is_set():
                is_held_up.set()
                await goes_on.wait()
            return await lock(runs)

        monkeypatch.setattr(TaskRunCRUD, "lock", slow_lock)
        slow = asyncio.create_task(book.record())
        await is_held_up.wait()
        await book.record()
        goes_on.set()
        await slow
        assert (await book.read()).attempts == 1


class TestRetention:
    async def test_a_run_that_nobody_heard_of_again_goes_as_well(self, book: Book, resources: Resources) -> None:
        long_ago = utc_now() - timedelta(days=resources.settings.celery.run_retention_days, seconds=1)
        lost, waiting = TaskRun(name="lost"), TaskRun(name="waiting")
        lost.create_time = lost.update_time = long_ago
        ids: list[UUID] = [lost.id, waiting.id]
        async with resources.sessions() as session:
            session.add_all([lost, waiting])
            await session.commit()
        async with resources.unit_of_work() as uow:
            await TaskRunService(resources, uow).prune()
        async with resources.sessions() as session:
            assert [await session.get(TaskRun, task_id) is not None for task_id in ids] == [False, True]
