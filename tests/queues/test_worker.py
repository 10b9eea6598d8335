"""Coroutine functions on real workers behave as Celery documents tasks."""

import json
import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psutil
import pytest
from celery import chain, chord, group
from celery.exceptions import SoftTimeLimitExceeded, TaskRevokedError, TimeLimitExceeded
from redis import Redis

from src.core.config import settings
from src.queues.app import app
from tests.queues import sample
from tests.queues.conftest import WORKER, Process, Run, wait_until

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture
def redis() -> Redis:
    return Redis.from_url(settings.REDIS_DATABASE_URL, decode_responses=True)


@pytest.fixture
def key() -> str:
    return f"test:{uuid4()}"


class TestAnsweringTheCaller:
    def test_the_result_is_the_coroutines(self) -> None:
        assert sample.add.delay(1, 2).get(timeout=10) == 3

    def test_a_synchronous_task_stays_one(self) -> None:
        assert sample.multiply.delay(2, 3).get(timeout=10) == 6

    def test_a_failure_has_the_traceback_of_the_coroutine(self) -> None:
        result = sample.fail.delay()
        with pytest.raises(ValueError, match="as planned"):
            result.get(timeout=10)
        assert "in innermost" in str(result.traceback)

    def test_pydantic_models_go_in_and_out(self) -> None:
        mirrored: object = sample.mirror.delay(sample.Point(x=1, y=2)).get(timeout=10)
        assert mirrored == {"x": 2, "y": 1}

    async def test_adelay_awaits_the_publishing(self) -> None:
        result = await sample.add.adelay(2, 3)
        assert result.get(timeout=10) == 5


class TestUsingTheStores:
    def test_a_thousand_tasks_share_one_process_and_its_pool(self) -> None:
        results = [sample.backend_pid.delay() for _ in range(1000)]
        assert len({result.get(timeout=60) for result in results}) == 1

    def test_effects_leave_after_the_commit(self, redis: Redis, key: str) -> None:
        sample.announce.apply_async((key,), {"fails": False}).get(timeout=10)
        wait_until(lambda: redis.lrange(key, 0, -1) == ["sent after commit"])

    def test_events_reach_the_socket_servers(self, redis: Redis, key: str) -> None:
        with redis.pubsub(ignore_subscribe_messages=True) as channel:  # type: ignore[no-untyped-call]  # redis-py's own
            channel.subscribe("socketio")
            channel.get_message(timeout=5)
            sample.announce.apply_async((key,), {"fails": False}).get(timeout=10)
            message = channel.get_message(timeout=5)
        assert message is not None
        event = json.loads(message["data"])
        assert (event["event"], event["room"], event["data"][0]["name"]) == ("task.progress", key, "sample.announce")

    def test_a_rollback_sends_nothing(self, redis: Redis, key: str) -> None:
        with pytest.raises(ValueError, match="nothing may leave"):
            sample.announce.apply_async((key,), {"fails": True}).get(timeout=10)
        # One process takes tasks in order: whatever had been sent would have run before this.
        sample.add.delay(1, 1).get(timeout=10)
        assert redis.lrange(key, 0, -1) == []


class TestRetrying:
    def test_autoretry_sees_what_the_coroutine_raises(self) -> None:
        assert sample.flaky.delay(2).get(timeout=10) == 2

    def test_autoretry_gives_up(self) -> None:
        with pytest.raises(sample.FlakyError):
            sample.flaky.delay(9).get(timeout=10)

    def test_self_retry_runs_the_coroutine_again(self) -> None:
        assert sample.again.delay(2).get(timeout=10) == 2


class TestTimeLimits:
    def test_the_soft_limit_is_raised_in_the_coroutine(self) -> None:
        assert sample.overdue.delay(handles=True).get(timeout=10) == "tidied up"

    def test_an_unhandled_soft_limit_fails_the_task(self) -> None:
        with pytest.raises(SoftTimeLimitExceeded):
            sample.overdue.delay(handles=False).get(timeout=10)

    def test_the_soft_limit_passes_for_a_cancellation(self) -> None:
        assert sample.overdue_child.delay().get(timeout=10) == "SoftTimeLimitCancelled"

    def test_the_hard_limit_ends_what_ignores_the_soft_one(self) -> None:
        with pytest.raises(TimeLimitExceeded):
            sample.overrun.delay().get(timeout=10)
        assert sample.add.delay(1, 1).get(timeout=10) == 2


class TestKnowingTheRequest:
    def test_concurrent_coroutines_see_their_own(self) -> None:
        results = [sample.identities.apply_async(queue="threads") for _ in range(40)]
        assert [set(result.get(timeout=20)) for result in results] == [{result.id} for result in results]

    def test_a_task_may_await_itself(self) -> None:
        assert sample.factorial.delay(5).get(timeout=10) == 120


class TestWorkflows:
    def test_a_chain_hands_results_on(self) -> None:
        assert chain(sample.add.s(1, 2), sample.add.s(3), sample.multiply.s(2)).delay().get(timeout=10) == 12

    def test_a_group_gathers(self) -> None:
        assert group(sample.add.s(n, n) for n in range(5)).delay().get(timeout=10) == [0, 2, 4, 6, 8]

    def test_a_chord_ends_with_its_body(self) -> None:
        assert chord([sample.add.s(n, n) for n in range(5)])(sample.total.s()).get(timeout=10) == 20


class TestTiming:
    def test_an_eta_is_kept(self) -> None:
        eta = datetime.now(UTC) + timedelta(seconds=1)
        sample.add.apply_async((1, 2), eta=eta).get(timeout=10)
        assert datetime.now(UTC) >= eta

    def test_a_revoked_task_never_runs(self, redis: Redis, key: str) -> None:
        result = sample.mark.apply_async((key, "ran"), countdown=1)
        app.control.revoke(result.id)
        with pytest.raises(TaskRevokedError):
            result.get(timeout=10)
        assert redis.lrange(key, 0, -1) == []

    def test_terminate_stops_a_running_coroutine(self, redis: Redis, key: str) -> None:
        result = sample.overdue.delay(handles=True)
        wait_until(lambda: result.state == "STARTED")
        app.control.revoke(result.id, terminate=True)
        with pytest.raises(TaskRevokedError):
            result.get(timeout=10)
        assert sample.add.delay(1, 1).get(timeout=10) == 2


class TestEveryPool:
    def test_threads_run_coroutines(self) -> None:
        results = [sample.backend_pid.apply_async(queue="threads") for _ in range(100)]
        assert len({result.get(timeout=20) for result in results}) <= 8

    def test_solo_runs_coroutines(self, run: Run) -> None:
        solo = run(*WORKER, "-P", "solo", "-Q", "solo", "-n", "solo@test")
        assert sample.process_id.apply_async(queue="solo").get(timeout=20) == solo.psutil.pid
        assert solo.stop() == 0


class TestLosingNothing:
    def test_tasks_of_a_killed_worker_are_done_by_another(self, run: Run, redis: Redis, key: str) -> None:
        names = {str(n) for n in range(16)}
        doomed, other = (run(*WORKER, "-c", "2", "-Q", "doomed", "-n", f"{name}@test") for name in ("one", "two"))
        doomed.wait_for("ready.")
        other.wait_for("ready.")
        for name in names:
            sample.work.apply_async((key, name), queue="doomed")
        wait_until(lambda: redis.llen(f"{key}:started") >= 4)
        doomed.kill()
        wait_until(lambda: set(redis.lrange(key, 0, -1)) == names, 30)

    def test_a_worker_finishes_its_task_before_it_ends(self, run: Run, redis: Redis, key: str) -> None:
        worker = run(*WORKER, "-c", "2", "-Q", "ending", "-n", "ending@test")
        sample.work.apply_async((key, "finished"), queue="ending")
        wait_until(lambda: redis.llen(f"{key}:started"), 20)
        family = worker.family()
        assert worker.stop() == 0
        assert redis.lrange(key, 0, -1) == ["finished"]
        assert psutil.wait_procs(family, timeout=5)[1] == []
        assert "stores_closed" in worker.log.read_text()


def test_an_idle_worker_costs_nothing(worker: Process) -> None:
    def spent() -> float:
        return sum(sum(process.cpu_times()[:2]) for process in worker.family())

    before = spent()
    time.sleep(3)
    assert (spent() - before) / 3 < 0.03
