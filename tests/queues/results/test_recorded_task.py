"""Every run of a real worker is in the run history, without secrets, and can be revoked and repeated."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from celery import states
from redis import Redis
from sqlmodel import delete, select

from src.core.config import settings
from src.core.exceptions import ConflictError
from src.core.resources import Resources
from src.core.security.actor import current_actor_id
from src.core.tasks.run_event import revocation_key
from src.models.task_run import RunState, TaskRun
from src.queues.app import app
from src.queues.tasks.runs import record
from src.schemas.task import RunsToRetry
from src.services.actor import Actor
from src.services.task_run import TaskRunService
from src.utils.date import utc_now
from tests.queues import sample
from tests.queues.conftest import WORKER, CeleryProcess, Run, running
from tests.support.pools import ASYNCIO, POOLS, Pool
from tests.support.waiting import PATIENCE_SECONDS, eventually, wait_until

pytestmark = [pytest.mark.worker, pytest.mark.usefixtures("worker")]

USER = UUID(int=7)
OPERATOR = Actor(USER, frozenset())


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CeleryProcess]:
    with running(tmp_path_factory.mktemp("history")) as run:
        worker = run(*WORKER, "-c", "1", "-n", "prefork@test")
        worker.wait_for("ready.")
        yield worker
        assert worker.stop() == 0


class History:
    """The run history, as services read and write it."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources

    async def call(self, method: Callable[[TaskRunService], Any]) -> Any:
        async with self.resources.unit_of_work() as uow:
            return await method(TaskRunService(uow, self.resources))

    async def wait(self, task_id: object, *states: RunState) -> TaskRun:
        """The run, once it is in one of the states, or finished if none is named."""

        async def awaited() -> TaskRun | None:
            await self.call(TaskRunService.record)
            async with self.resources.sessions() as session:
                run = await session.get(TaskRun, UUID(str(task_id)))
            return run if run is not None and (run.state in states if states else run.is_finished) else None

        return await eventually(awaited)


@pytest.fixture
async def history(resources: Resources) -> AsyncIterator[History]:
    yield History(resources)
    async with resources.engine.begin() as connection:
        await connection.execute(delete(TaskRun))


@pytest.fixture
def redis() -> Redis:
    return Redis.from_url(settings.REDIS_DATABASE_URL, decode_responses=True)


class TestRecording:
    async def test_a_success_is_recorded_with_its_result(self, history: History) -> None:
        run = await history.wait(sample.add.delay(1, y=2).id)
        assert (run.name, run.state, run.args, run.kwargs, run.result) == (
            "sample.add",
            RunState.SUCCESS,
            [1],
            {"y": 2},
            3,
        )
        assert (run.attempts, run.queue, run.worker) == (1, "celery", "prefork@test")
        assert run.queued_at is not None
        assert run.started_at is not None
        assert run.finished_at is not None
        assert run.queued_at <= run.started_at <= run.finished_at

    async def test_a_failure_is_recorded_with_its_traceback(self, history: History) -> None:
        run = await history.wait(sample.fail.delay().id)
        assert (run.state, run.error) == (RunState.FAILURE, "ValueError: as planned")
        assert "in innermost" in str(run.traceback)

    async def test_retries_are_counted(self, history: History) -> None:
        run = await history.wait(sample.flaky.delay(2).id)
        assert (run.state, run.attempts, run.error) == (RunState.SUCCESS, 3, None)

    async def test_a_run_that_exceeds_its_hard_limit_has_failed(self, history: History) -> None:
        run = await history.wait(sample.overrun.delay().id)
        assert run.state == RunState.FAILURE
        assert str(run.error).startswith("TimeLimitExceeded")

    @pytest.mark.parametrize(("ignored", "state"), [(True, RunState.REVOKED), (False, RunState.FAILURE)])
    async def test_ignore_and_reject_end_a_run(self, history: History, state: RunState, *, ignored: bool) -> None:
        run = await history.wait(sample.give_up.delay(ignored=ignored).id)
        assert run.state == state
        assert "enough" in str(run.error)

    async def test_a_run_that_expires_in_its_queue_is_revoked(self, history: History) -> None:
        run = await history.wait(sample.add.apply_async((1, 2), expires=-1).id)
        assert (run.state, run.error, run.attempts) == (RunState.REVOKED, "expired", 0)

    async def test_a_task_that_no_worker_knows_has_failed(self, history: History) -> None:
        run = await history.wait(app.send_task("sample.unknown").id)
        assert (run.name, run.state, run.queue) == ("sample.unknown", RunState.FAILURE, "celery")
        assert "no task is named 'sample.unknown'" in str(run.error)

    async def test_secrets_are_masked(self, history: History) -> None:
        run = await history.wait(sample.login.delay("ann", "hunter2", options={"api_token": "t0p"}).id)
        assert (run.args, run.kwargs) == (["ann", "***"], {"options": {"api_token": "***"}})
        assert run.is_complete is False

    async def test_large_arguments_are_not_stored(self, history: History) -> None:
        run = await history.wait(sample.total.delay(list(range(20_000))).id)
        assert (run.state, run.args, run.is_complete) == (RunState.SUCCESS, [], False)

    async def test_untracked_tasks_are_not_recorded(self, history: History, resources: Resources) -> None:
        untracked, tracked = record.apply_async(), sample.add.delay(1, 2)
        await history.wait(tracked.id)
        async with resources.sessions() as session:
            assert await session.get(TaskRun, UUID(untracked.id)) is None


class TestRequestedBy:
    async def test_runs_sent_by_a_run_inherit_its_user(self, history: History, resources: Resources) -> None:
        token = current_actor_id.set(USER)
        try:
            async with resources.unit_of_work() as uow:
                first = uow.enqueue("sample.announce", key=f"test:{uuid4()}", fails=False)
        finally:
            current_actor_id.reset(token)
        assert (await history.wait(first)).requested_by == USER
        second = await self.caused(resources, history)
        assert (second.name, second.requested_by) == ("sample.mark", USER)

    async def caused(self, resources: Resources, history: History) -> TaskRun:
        async def finished() -> TaskRun | None:
            await history.call(TaskRunService.record)
            async with resources.sessions() as session:
                run = (await session.exec(select(TaskRun).where(TaskRun.name == "sample.mark"))).first()
            return run if run is not None and run.is_finished else None

        return await eventually(finished)

    async def test_the_user_gets_progress_and_finished_events(
        self, history: History, resources: Resources, redis: Redis
    ) -> None:
        with redis.pubsub(ignore_subscribe_messages=True) as channel:  # type: ignore[no-untyped-call]  # redis-py's own
            channel.subscribe("socketio")
            channel.get_message(timeout=5)
            result = sample.counting.apply_async((3,), headers={"requested_by": str(USER)})
            await history.wait(result.id)
            events = []
            while message := channel.get_message(timeout=1):
                events.append(json.loads(message["data"]))
        mine = [event for event in events if event["room"] == f"user:{USER}"]
        assert [event["event"] for event in mine] == ["task.progress", "task.progress", "task.finished"]
        assert mine[0]["data"][0] == {
            "taskId": result.id,
            "name": "sample.counting",
            "done": 0,
            "total": 3,
            "note": "step 0",
        }
        assert mine[-1]["data"][0]["state"] == "SUCCESS"
        run = await history.wait(result.id)
        assert run.progress == {"done": 3, "total": 3, "note": "step 3"}


class TestRevoking:
    async def test_a_running_run_is_terminated(self, history: History, redis: Redis) -> None:
        key = f"test:{uuid4()}"
        result = sample.long.delay(key)
        wait_until(lambda: redis.llen(key))
        await history.wait(result.id, RunState.STARTED)
        await history.call(lambda runs: runs.revoke(UUID(result.id)))
        assert (await history.wait(result.id)).state == RunState.REVOKED

    async def test_a_queued_run_never_starts(self, history: History, redis: Redis, run: Run) -> None:
        """Not even on a worker that started after the revocation was broadcast."""
        key = f"test:{uuid4()}"
        result = sample.mark.apply_async((key, "x"), queue="later")
        async with history.resources.sessions() as session:
            session.add(TaskRun(id=UUID(result.id), name="sample.mark"))
            await session.commit()
        await history.call(lambda runs: runs.revoke(UUID(result.id)))
        late: CeleryProcess = run(*WORKER, "-c", "1", "-Q", "later", "-n", "late@test")
        assert (await history.wait(result.id)).state == RunState.REVOKED
        late.stop()
        assert redis.llen(key) == 0

    async def test_a_finished_run_cannot_be_revoked(self, history: History) -> None:
        result = sample.add.delay(1, 2)
        await history.wait(result.id)
        with pytest.raises(ConflictError):
            await history.call(lambda runs: runs.revoke(UUID(result.id)))


class TestRepeating:
    async def test_repeating_creates_a_new_run(self, history: History) -> None:
        result = sample.add.delay(1, y=2)
        await history.wait(result.id)
        again = await history.call(lambda runs: runs.retry(UUID(result.id), OPERATOR))
        run = await history.wait(again.id)
        assert (run.state, run.result, run.retry_of) == (RunState.SUCCESS, 3, UUID(result.id))

    async def test_failed_runs_are_repeated_once(self, history: History) -> None:
        failed = [sample.fail.delay().id for _ in range(3)]
        for task_id in failed:
            await history.wait(task_id)
        choice = RunsToRetry(name="sample.fail")
        again = await history.call(lambda runs: runs.retry_failed(choice, OPERATOR))
        assert {run.retry_of for run in again} == {UUID(task_id) for task_id in failed}
        for run in again:
            await history.wait(run.id)
        chosen = RunsToRetry(ids=[UUID(task_id) for task_id in failed])
        assert await history.call(lambda runs: runs.retry_failed(chosen, OPERATOR)) == []

    async def test_a_run_with_masked_arguments_cannot_be_repeated(self, history: History) -> None:
        result = sample.login.delay("ann", "hunter2")
        await history.wait(result.id)
        with pytest.raises(ConflictError, match="not kept"):
            await history.call(lambda runs: runs.retry(UUID(result.id), OPERATOR))


class TestPoison:
    async def test_a_run_that_keeps_killing_its_worker_fails(self, history: History, redis: Redis) -> None:
        key = f"test:{uuid4()}"
        result = sample.deadly.delay(key)
        run = await history.wait(result.id)
        assert run.state == RunState.FAILURE
        assert str(run.error).startswith("PoisonedTaskError")
        assert redis.llen(key) == 3
        assert sample.add.delay(1, 2).get(timeout=PATIENCE_SECONDS) == 3

    async def test_requeued_runs_do_not_count_as_redelivered(self, history: History) -> None:
        result = sample.hand_back.delay(f"test:{uuid4()}", times=4)
        run = await history.wait(result.id)
        assert (run.state, run.attempts) == (RunState.SUCCESS, 5)


class TestARedeliveredRun:
    """Its worker was lost after it had stored the result, and before it acknowledged the message."""

    @pytest.mark.parametrize("pool", POOLS, ids=lambda pool: pool.name)
    @pytest.mark.parametrize("is_revoked", [False, True], ids=["", "revoked"])
    async def test_that_has_succeeded_does_not_run_again(
        self, history: History, redis: Redis, run: Run, key: str, pool: Pool, is_revoked: bool
    ) -> None:
        result = sample.work.apply_async((key, "run"), queue=key)
        app.backend.store_result(result.id, "stored", states.SUCCESS)
        if is_revoked:
            redis.set(revocation_key(result.id), 1)
        with Redis.from_url(str(app.conf.broker_url)) as broker:
            message = json.loads(broker.lpop(key))
            message["properties"]["delivery_info"]["redelivered"] = True
            broker.lpush(key, json.dumps(message))
        pool.start(run, key)
        ended = await history.wait(result.id)
        assert (ended.state, ended.result) == (RunState.SUCCESS, "stored")
        assert not redis.exists(f"{key}:started")


class TestAsyncioPool:
    """Its tracer runs on the loop, which recording must not block."""

    async def test_runs_are_recorded(self, history: History, run: Run) -> None:
        worker = ASYNCIO.start(run, "history")
        worker.wait_for("ready.")
        success = sample.counting.apply_async((2,), queue="history")
        failure = sample.fail.apply_async(queue="history")
        runs = await history.wait(success.id), await history.wait(failure.id)
        assert [run.state for run in runs] == [RunState.SUCCESS, RunState.FAILURE]
        assert runs[0].progress == {"done": 2, "total": 2, "note": "step 2"}
        assert (runs[0].attempts, runs[0].worker) == (1, worker.name)
        assert worker.stop() == 0


class TestRetention:
    async def test_old_runs_are_deleted(self, history: History, resources: Resources) -> None:
        old, new, unfinished = TaskRun(name="old"), TaskRun(name="new"), TaskRun(name="unfinished")
        old.finished_at = utc_now() - timedelta(days=settings.celery.run_retention_days, seconds=1)
        new.finished_at = utc_now()
        async with resources.sessions() as session:
            session.add_all([old, new, unfinished])
            await session.commit()
        await history.call(TaskRunService.prune)
        async with resources.sessions() as session:
            present = [await session.get(TaskRun, run.id) is not None for run in (old, new, unfinished)]
        assert present == [False, True, True]
