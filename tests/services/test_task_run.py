"""Run events are applied once, in a sensible order, whatever they contain and whichever process applies them."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from celery import states
from sqlmodel import delete

from src.core.resources import Resources
from src.core.tasks.run_event import MALFORMED_STREAM, STREAM, RunEvent, UncheckedRunEvent
from src.core.unit_of_work import UnitOfWork
from src.crud.permission import ALL_CODES
from src.crud.run_event import RunEventCRUD
from src.crud.task_run import TaskRunCRUD
from src.models.idempotency_key import IdempotencyKey
from src.models.task_run import RunState, TaskRun
from src.queues.tasks.runs import record
from src.schemas.task import RunsToRetry
from src.services.actor import Actor
from src.services.task_run import TaskRunService
from src.utils.date import utc_now


class Run:
    """A run, as workers report it and services read it."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self.id = uuid4()

    async def report(self, state: str, **event: Any) -> None:
        await RunEventCRUD(self.resources.redis).add(RunEvent(id=self.id, state=state, **event))

    async def record(self) -> int:
        async with self.resources.unit_of_work() as uow:
            return await TaskRunService(uow, self.resources).record()

    async def read(self) -> TaskRun:
        async with self.resources.sessions() as session:
            run = await session.get(TaskRun, self.id)
        assert run is not None
        return run


@pytest.fixture
async def run(resources: Resources) -> AsyncIterator[Run]:
    await resources.redis.delete(STREAM)
    yield Run(resources)
    await resources.redis.delete(STREAM)
    async with resources.engine.begin() as connection:
        await connection.execute(delete(TaskRun))


ADMIN = Actor(UUID(int=1), frozenset({ALL_CODES}))
STARTED = RunEvent(id=UUID(int=1), state=states.STARTED).to_json()
POISON: list[dict[str, Any]] = [
    {},
    {"other": STARTED},
    {"event": ""},
    {"event": b"\xff"},
    {"event": "null"},
    {"event": "[" * 5000},
    {"event": '{"id": "x"}'},
    {"event": STARTED.replace("STARTED", "EATEN")},
    {"event": STARTED.replace('"at":"', '"at":"never')},
    {"event": STARTED.replace("{", '{"progress": 5, ', 1)},
    {"event": STARTED.replace("{", '{"args": {"a": 1}, ', 1)},
]
# What only the database refuses, and what is made to fit.
ACCEPTED: list[dict[str, Any]] = [
    {"name": "a\0" * 500},
    {"worker": "w" * 5000},
    {"queue": "\ud800"},
    {"request_id": "r" * 900},
]


class TestRow63PoisonBlocksNothing:
    @pytest.mark.parametrize("fields", POISON)
    async def test_entries_that_are_no_events_are_set_aside(self, run: Run, fields: dict[str, Any]) -> None:
        redis = run.resources.redis
        await redis.delete(MALFORMED_STREAM)
        entry: Any = fields or {"": ""}
        await redis.xadd(STREAM, entry)
        await run.report(states.SUCCESS)
        assert await run.record() == 1
        assert (await run.read()).state == RunState.SUCCESS
        assert (await redis.xlen(STREAM), await redis.xlen(MALFORMED_STREAM)) == (0, 1)

    async def test_events_that_only_postgresql_refuses_are_set_aside(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        redis, other = run.resources.redis, Run(run.resources)
        await redis.delete(MALFORMED_STREAM)
        await other.report(states.STARTED, result={"number": 10**5000})
        await run.report(states.STARTED)
        await redis.xadd(STREAM, {"event": STARTED.replace("{", '{"queued_at": "0001-01-01T00:00:00+23:59", ', 1)})
        await run.report(states.SUCCESS)
        await run.record()
        assert (await run.read()).state == RunState.SUCCESS
        assert await redis.xlen(STREAM) == 0
        assert await redis.xlen(MALFORMED_STREAM) >= 1

    async def test_those_of_the_same_run_are_recorded(self, run: Run) -> None:
        await run.report(states.SUCCESS)
        refused = RunEvent(id=run.id, state=states.STARTED).to_json()
        refused = refused.replace("{", '{"queued_at": "0001-01-01T00:00:00+23:59", ', 1)
        await run.resources.redis.xadd(STREAM, {"event": refused})
        assert await run.record() == 1
        assert (await run.read()).state == RunState.SUCCESS

    @pytest.mark.parametrize("fields", ACCEPTED)
    async def test_text_that_does_not_fit_is_cut(self, run: Run, fields: dict[str, Any]) -> None:
        await run.report(states.SUCCESS, **fields)
        assert await run.record() == 1
        assert (await run.read()).state == RunState.SUCCESS


class TestUnstorableText:
    @pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
    async def test_unstorable_characters_are_replaced(self, run: Run, text: str) -> None:
        await run.report(states.STARTED, args=[text], kwargs={text: [text]}, progress={"note": text})
        await run.report(states.FAILURE, error=text, traceback=text)
        assert await run.record() == 2
        stored = await run.read()
        assert (stored.state, len(str(stored.args[0])), len(str(stored.error))) == (RunState.FAILURE, 3, 3)

    @pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
    async def test_workers_leave_replacing_them_to_the_record(self, run: Run, text: str) -> None:
        fields = {"at": utc_now(), "state": states.SUCCESS, "queue": text, "result": {text: float("nan")}}
        await run.resources.redis.xadd(STREAM, {"event": UncheckedRunEvent(run.id, fields).to_json()})
        assert await run.record() == 1
        stored = await run.read()
        assert (stored.state, len(str(stored.queue)), list(stored.result.values())) == (RunState.SUCCESS, 3, [None])


class TestManyEvents:
    async def test_one_run_of_the_task_records_all_of_them(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("src.services.task_run.BATCH", 2)
        for _ in range(5):
            await Run(run.resources).report(states.SUCCESS)
        task: Any = record  # its dependencies are injected
        assert await task() == 5
        assert await run.resources.redis.xlen(STREAM) == 0


class TestOrder:
    async def test_a_late_retry_event_does_not_replace_the_success(self, run: Run) -> None:
        for state in (states.STARTED, states.STARTED, states.SUCCESS, states.RETRY):
            await run.report(state, error="as planned" if state == states.RETRY else None)
        await run.record()
        stored = await run.read()
        assert (stored.state, stored.error, stored.attempts) == (RunState.SUCCESS, None, 2)

    async def test_a_late_start_does_not_replace_the_revocation(self, run: Run) -> None:
        for state in (states.REVOKED, states.STARTED):
            await run.report(state)
            await run.record()
        stored = await run.read()
        assert (stored.state, stored.finished_at is None) == (RunState.REVOKED, False)

    async def test_a_late_start_does_not_replace_its_outcome(self, run: Run) -> None:
        finished_at = utc_now()
        await run.report(states.SUCCESS, at=finished_at)
        await run.report(states.STARTED, at=finished_at - timedelta(seconds=1))
        await run.record()
        assert (await run.read()).state == RunState.SUCCESS

    async def test_a_start_is_not_compared_with_another_workers_clock(self, run: Run) -> None:
        """The worker that failed is a minute ahead of the one that runs it again."""
        for worker, state, ahead in [("a", states.STARTED, 60), ("a", states.FAILURE, 61), ("b", states.STARTED, 2)]:
            await run.report(state, worker=worker, at=utc_now() + timedelta(seconds=ahead))
        await run.record()
        stored = await run.read()
        assert (stored.state, stored.worker, stored.attempts, stored.finished_at) == (RunState.STARTED, "b", 2, None)

    @pytest.mark.parametrize("workers", ["aaaa", "aabb"])
    @pytest.mark.parametrize("ends", [[], [states.SUCCESS], [states.RETRY, states.STARTED, states.FAILURE]])
    async def test_events_that_arrive_twice_count_once(self, run: Run, ends: list[str], workers: str) -> None:
        for state, worker in zip((states.STARTED, *ends), workers, strict=False):
            await run.report(state, worker=worker)
        entries: Any = await run.resources.redis.xrange(STREAM)
        await run.record()
        first = await run.read()
        for _, fields in entries:
            await run.resources.redis.xadd(STREAM, fields)
        await run.record()
        again = await run.read()
        assert (again.state, again.attempts, again.started_at) == (first.state, first.attempts, first.started_at)

    async def test_a_redelivered_run_is_running_again(self, run: Run) -> None:
        for state in (states.STARTED, states.FAILURE, states.STARTED):
            await run.report(state)
        await run.record()
        assert (await run.read()).is_finished is False

    async def test_a_second_report_of_a_revocation_changes_nothing(self, run: Run) -> None:
        await run.report(states.REVOKED, error="revoked")
        await run.record()
        finished_at = (await run.read()).finished_at
        await run.report(states.REVOKED, error="terminated")
        await run.record()
        stored = await run.read()
        assert (stored.error, stored.finished_at) == ("revoked", finished_at)


class TestRevoking:
    async def test_a_run_is_revoked_before_a_worker_receives_it(self, run: Run, resources: Resources) -> None:
        async with resources.sessions() as session:
            session.add(TaskRun(id=run.id, name="due tomorrow"))
            await session.commit()
        async with resources.unit_of_work() as uow:
            await TaskRunService(uow, resources).revoke(run.id)
        await run.record()
        stored = await run.read()
        assert (stored.state, stored.error, stored.is_finished) == (RunState.REVOKED, "revoked", True)


class TestRepeating:
    async def test_two_callers_at_once_repeat_a_failed_run_once(self, run: Run, resources: Resources) -> None:
        async with resources.sessions() as session:
            session.add(TaskRun(id=run.id, name="system.ping", state=RunState.FAILURE))
            await session.commit()

        async def repeat() -> int:
            async with resources.unit_of_work() as uow:
                choice = RunsToRetry(ids=[run.id])
                return len(await TaskRunService(uow, resources).retry_failed(choice, ADMIN))

        assert sorted(await asyncio.gather(repeat(), repeat())) == [0, 1]


class TestConcurrentRecording:
    async def test_no_event_is_applied_twice(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        """One process is delayed between finding events and locking, while another applies them."""
        await run.report(states.STARTED)
        lock, is_delayed, may_continue = TaskRunCRUD.lock, asyncio.Event(), asyncio.Event()

        async def slow_lock(runs: TaskRunCRUD) -> bool:
            if not is_delayed.is_set():
                is_delayed.set()
                await may_continue.wait()
            return await lock(runs)

        monkeypatch.setattr(TaskRunCRUD, "lock", slow_lock)
        slow = asyncio.create_task(run.record())
        await is_delayed.wait()
        await run.record()
        may_continue.set()
        await slow
        assert (await run.read()).attempts == 1


class TestRetention:
    async def test_unfinished_runs_without_news_are_deleted_as_well(self, run: Run, resources: Resources) -> None:
        long_ago = utc_now() - timedelta(days=resources.settings.celery.run_retention_days, seconds=1)
        lost, waiting = TaskRun(name="lost"), TaskRun(name="waiting")
        lost.create_time = lost.update_time = long_ago
        ids: list[UUID] = [lost.id, waiting.id]
        async with resources.sessions() as session:
            session.add_all([lost, waiting])
            await session.commit()
        async with resources.unit_of_work() as uow:
            await TaskRunService(uow, resources).prune()
        async with resources.sessions() as session:
            assert [await session.get(TaskRun, task_id) is not None for task_id in ids] == [False, True]

    @pytest.mark.parametrize("kind", [TaskRun, IdempotencyKey])
    async def test_more_than_a_batch_is_deleted_by_another_run(
        self,
        kind: type[TaskRun | IdempotencyKey],
        uow: UnitOfWork,
        resources: Resources,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("src.services.task_run.BATCH", 2)
        long_ago = utc_now() - timedelta(days=resources.settings.celery.run_retention_days, seconds=1)
        for number in range(3):
            row = TaskRun(name="old") if kind is TaskRun else IdempotencyKey(key=f"old {number}")
            row.id = UUID(int=number)  # the oldest: another test's rows are newer
            row.create_time = row.update_time = long_ago
            uow.session.add(row)
        await uow.session.flush()
        left = [await self.pruned(uow, resources) for _ in range(2)]
        assert left == [["tasks.prune"], []]
        found = [await uow.session.get(kind, UUID(int=number)) for number in range(3)]
        assert found == [None] * 3

    async def pruned(self, uow: UnitOfWork, resources: Resources) -> list[str]:
        """The tasks that pruning once sends."""
        sent: list[str] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(uow, "enqueue", sent.append)
            await TaskRunService(uow, resources).prune()
        uow.session.expire_all()
        return sent
