"""What only the asyncio pool does: many tasks on one loop, threads for synchronous ones, a watchdog."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery.exceptions import TaskRevokedError, TimeLimitExceeded
from redis import Redis

from src.queues.app import app
from tests.queues import sample
from tests.queues.conftest import CeleryProcess, Run, running
from tests.support.pools import ASYNCIO
from tests.support.waiting import PATIENCE_SECONDS, wait_until

pytestmark = pytest.mark.worker


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CeleryProcess]:
    with running(tmp_path_factory.mktemp("asyncio")) as run, pytest.MonkeyPatch.context() as patch:
        worker = ASYNCIO.start(run, "pool")
        patch.setattr(sample, "default_queue", "pool")
        worker.wait_for("ready.")
        yield worker
        assert worker.stop() == 0


def reserved(queue: str) -> int:
    """The messages that the worker on this queue holds and has not started."""
    replies = app.control.inspect(timeout=1).reserved() or {}
    return sum(len(requests) for name, requests in replies.items() if name.startswith(queue))


def logged(worker: CeleryProcess, event: str) -> list[dict[str, Any]]:
    lines = [line for line in worker.log.read_text().splitlines() if line.startswith("{")]
    return [entry for line in lines if (entry := json.loads(line))["event"] == event]


@pytest.mark.usefixtures("worker")
class TestSynchronousTasksHaveOneOutcome:
    """A thread cannot be interrupted: what its task does after it was ended counts no more."""

    @pytest.mark.parametrize("ending", ["returns", "fails", "retries"])
    def test_after_the_hard_limit(self, redis: Redis, key: str, ending: str) -> None:
        linked = {"link": sample.note.si(key, "linked"), "link_error": sample.note.si(key, "failed")}
        result = sample.uninterruptible.apply_async((key, ending), **linked)
        with pytest.raises(TimeLimitExceeded):
            result.get(timeout=PATIENCE_SECONDS)
        self.end(redis, key)
        assert result.state == "FAILURE"
        assert redis.lrange(key, 0, -1) == ["failed"]
        assert redis.llen(f"{key}:started") == 1

    @pytest.mark.parametrize("ending", ["returns", "fails", "retries"])
    def test_after_terminate(self, redis: Redis, key: str, ending: str) -> None:
        linked = {"link": sample.note.si(key, "linked"), "link_error": sample.note.si(key, "failed")}
        result = sample.uninterruptible.apply_async((key, ending), time_limit=20, **linked)
        wait_until(lambda: redis.llen(f"{key}:started"))
        app.control.revoke(result.id, terminate=True)
        with pytest.raises(TaskRevokedError):
            result.get(timeout=PATIENCE_SECONDS)
        self.end(redis, key)
        assert str(result.state) == "REVOKED"
        assert "linked" not in redis.lrange(key, 0, -1)
        assert redis.llen(f"{key}:started") == 1

    def end(self, redis: Redis, key: str) -> None:
        """Let the thread go on, and wait until whatever it sends has run."""
        redis.rpush(f"{key}:go", "go")
        wait_until(lambda: redis.llen(f"{key}:ended"))
        for _ in range(3):
            assert sample.add.delay(1, 1).get(timeout=PATIENCE_SECONDS) == 2


class TestQueuedRuns:
    @pytest.fixture
    def held(self, tmp_path: Path, redis: Redis, key: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[CeleryProcess]:
        """A worker of one slot, which a task holds."""
        with running(tmp_path) as run:
            monkeypatch.setattr(sample, "default_queue", key)
            worker = ASYNCIO.start(run, key, "--concurrency", "1", "--prefetch-multiplier", "4")
            worker.wait_for("ready.")
            holder = sample.wait_for.delay(key)
            wait_until(lambda: redis.llen(f"{key}:started"))
            yield worker
            assert holder.state == "SUCCESS"
            assert worker.stop() == 0

    def let_go(self, redis: Redis, key: str) -> None:
        redis.rpush(f"{key}:go", *["gone on"] * 10)  # also for copies, which are delivered after seconds
        assert sample.add.delay(1, 1).get(timeout=PATIENCE_SECONDS) == 2

    @pytest.mark.usefixtures("held")
    def test_that_expire_never_run(self, redis: Redis, key: str) -> None:
        result = sample.mark.apply_async((key, "ran"), expires=0.5)
        wait_until(lambda: reserved(key) == 1)
        time.sleep(0.6)  # until it has expired
        self.let_go(redis, key)
        with pytest.raises(TaskRevokedError, match="expired"):
            result.get(timeout=PATIENCE_SECONDS)
        assert redis.lrange(key, 0, -1) == []

    def test_that_are_revoked_never_run(self, held: CeleryProcess, redis: Redis, key: str) -> None:
        result = sample.mark.apply_async((key, "ran"))
        wait_until(lambda: reserved(key) == 1)
        app.control.revoke(result.id)
        held.wait_for("flagged as revoked")
        self.let_go(redis, key)
        with pytest.raises(TaskRevokedError, match="revoked"):
            result.get(timeout=PATIENCE_SECONDS)
        assert redis.lrange(key, 0, -1) == []


@pytest.mark.usefixtures("worker")
class TestConcurrency:
    def test_coroutines_run_concurrently_up_to_the_limit(self, key: str) -> None:
        results = [sample.meet.delay(key, 100) for _ in range(100)]
        assert {result.get(timeout=PATIENCE_SECONDS) for result in results} == {100}

    def test_synchronous_tasks_run_on_threads(self) -> None:
        results = [sample.meet_in_threads.delay() for _ in range(4)]
        assert {result.get(timeout=PATIENCE_SECONDS) for result in results} == {0, 1, 2, 3}

    def test_tasks_beyond_the_limit_wait(self, redis: Redis, key: str) -> None:
        results = [sample.wait_for.apply_async((key,), countdown=0.5) for _ in range(101)]
        wait_until(lambda: redis.llen(f"{key}:started") == 100)
        redis.rpush(f"{key}:go", "first")
        wait_until(lambda: redis.llen(f"{key}:started") == 101)
        redis.rpush(f"{key}:go", *["others"] * 100)
        assert sorted(result.get(timeout=PATIENCE_SECONDS) for result in results) == ["first", *["others"] * 100]

    def test_the_limit_can_be_raised(self, worker: CeleryProcess, key: str) -> None:
        app.control.pool_grow(20, destination=[worker.name], reply=True)
        results = [sample.meet.delay(key, 120) for _ in range(120)]
        assert {result.get(timeout=PATIENCE_SECONDS) for result in results} == {120}
        app.control.pool_shrink(20, destination=[worker.name], reply=True)

    def test_the_limit_stays_above_zero(self, worker: CeleryProcess) -> None:
        reply = app.control.pool_shrink(100, destination=[worker.name], reply=True)
        assert "0 is too few" in str(reply)
        assert sample.add.delay(1, 1).get(timeout=PATIENCE_SECONDS) == 2


@pytest.mark.parametrize("option", ["--max-tasks-per-child=5", "--max-memory-per-child=9000"])
def test_options_for_child_processes_are_refused(run: Run, key: str, option: str) -> None:
    worker = ASYNCIO.start(run, key, option)
    wait_until(lambda: worker.code is not None)
    assert worker.code != 0
    assert "The asyncio pool has no child processes" in worker.output


class TestMisbehavingTasks:
    def test_a_coroutine_that_ignores_cancellation_is_logged(
        self, worker: CeleryProcess, redis: Redis, key: str
    ) -> None:
        with pytest.raises(TimeLimitExceeded):
            sample.stubborn.delay(key).get(timeout=PATIENCE_SECONDS)
        wait_until(lambda: logged(worker, "task_ignores_cancellation"))
        (entry,) = logged(worker, "task_ignores_cancellation")
        assert entry["task"].startswith("sample.stubborn[")
        assert "stubborn" in entry["waits_at"][-1] or "sleep" in entry["waits_at"][-1]
        redis.set(key, "enough", ex=60)

    def test_a_blocked_loop_is_logged_and_the_worker_still_responds(
        self, worker: CeleryProcess, redis: Redis, key: str
    ) -> None:
        result = sample.block.delay(key, 3)
        wait_until(lambda: redis.llen(f"{key}:started"))
        wait_until(lambda: logged(worker, "loop_is_blocked"))
        assert app.control.ping(destination=[worker.name], timeout=5)
        (entry,) = logged(worker, "loop_is_blocked")
        assert entry["task"] == f"sample.block[{result.id}]"
        assert "in block" in entry["stack"]
        assert result.get(timeout=PATIENCE_SECONDS) is None

    def test_a_loop_blocked_for_too_long_restarts_the_worker(self, run: Run, redis: Redis, key: str) -> None:
        worker = ASYNCIO.start(run, key, SAMPLE_LOST_AFTER="2")
        worker.wait_for("ready.")
        victim = sample.wait_for.apply_async((key,), queue=key)
        wait_until(lambda: redis.llen(f"{key}:started") == 1)
        culprit = sample.block.apply_async((key, 60), queue=key)
        with pytest.raises(TimeLimitExceeded):
            culprit.get(timeout=PATIENCE_SECONDS)
        wait_until(lambda: worker.log.read_text().count("ready.") == 2)
        wait_until(lambda: redis.llen(f"{key}:started") == 3)
        redis.rpush(f"{key}:go", "after the restart")
        assert victim.get(timeout=PATIENCE_SECONDS) == "after the restart"
        assert worker.stop() == 0
