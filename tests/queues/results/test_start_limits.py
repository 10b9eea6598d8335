"""`unique_by` and `rate_limit_key` hold across workers, in each pool."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from celery.exceptions import ImproperlyConfigured, TaskRevokedError, TimeLimitExceeded
from redis import Redis

from src.queues.app import app
from src.queues.celery import Celery
from src.queues.results.recorded_task import RecordedTask
from tests.queues import limited, sample
from tests.queues.conftest import running
from tests.support.pools import POOLS
from tests.support.waiting import PATIENCE_SECONDS, wait_until

pytestmark = pytest.mark.worker


@pytest.fixture(scope="module", autouse=True)
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One worker of each pool; both take from one queue."""
    with running(tmp_path_factory.mktemp("limited")) as run, pytest.MonkeyPatch.context() as patch:
        workers = [pool.start(run, "limited") for pool in POOLS]
        patch.setattr(sample, "default_queue", "limited")
        for worker in workers:
            worker.wait_for("ready.")
        yield
        assert [worker.stop() for worker in workers] == [0, 0]


class TestUniqueBy:
    def started(self, redis: Redis, key: str, number: int) -> list[Any]:
        wait_until(lambda: redis.llen(f"{key}:started") == number)
        return list(redis.lrange(f"{key}:started", 0, -1))

    def test_a_second_run_does_not_start_meanwhile(self, redis: Redis, key: str) -> None:
        first = limited.exclusive.delay(key, key)
        self.started(redis, key, 1)
        for _ in range(4):
            with pytest.raises(TaskRevokedError, match=f"duplicate of {first.id}"):
                limited.exclusive.delay(key, tenant=key, day=1).get(timeout=PATIENCE_SECONDS)
        redis.rpush(f"{key}:go", 1)
        first.get(timeout=PATIENCE_SECONDS)
        assert redis.llen(f"{key}:started") == 1

    def test_runs_with_other_values_start(self, redis: Redis, key: str) -> None:
        runs = [limited.exclusive.delay(key, f"{key}{number % 2}", day=number) for number in range(4)]
        self.started(redis, key, 4)
        redis.rpush(f"{key}:go", *range(4))
        assert [run.get(timeout=PATIENCE_SECONDS) for run in runs] == [0] * 4

    def test_without_values_one_run_starts_at_a_time(self, redis: Redis, key: str) -> None:
        first = limited.alone.delay(key)
        self.started(redis, key, 1)
        with pytest.raises(TaskRevokedError, match=f"duplicate of {first.id}"):
            limited.alone.delay(f"{key}:other").get(timeout=PATIENCE_SECONDS)
        redis.rpush(f"{key}:go", 1)
        first.get(timeout=PATIENCE_SECONDS)

    @pytest.mark.parametrize("ending", ["fails", "retries", "exceeds its limit", "is terminated"])
    def test_the_next_run_starts_however_the_one_before_ended(self, redis: Redis, key: str, ending: str) -> None:
        first = limited.exclusive.delay(key, key, ending=ending)
        self.started(redis, key, 2 if ending == "retries" else 1)
        if ending == "is terminated":
            app.control.revoke(first.id, terminate=True)
        if ending == "retries":
            assert first.get(timeout=PATIENCE_SECONDS) == 1
        else:
            with pytest.raises((ValueError, TimeLimitExceeded, TaskRevokedError)):
                first.get(timeout=PATIENCE_SECONDS)
        # The lock is released once the outcome is recorded, which is after it can be read.
        wait_until(lambda: not any(first.id in str(lock) for lock in redis.hvals("tasks:unique:sample.exclusive")))
        redis.rpush(f"{key}:go", 1)
        assert limited.exclusive.delay(key, key).get(timeout=PATIENCE_SECONDS) == 0


class TestRateLimitKey:
    def test_runs_of_one_key_are_spaced_and_others_do_not_wait(self, redis: Redis, key: str) -> None:
        runs = [limited.paced.delay(key, "busy") for _ in range(6)]
        other = limited.paced.delay(key, "idle")
        # A run that waits for its turn has not used one of its retries.
        assert [run.get(timeout=PATIENCE_SECONDS) for run in [*runs, other]] == [0] * 7
        starts = sorted(float(at) for at in redis.lrange(f"{key}:busy", 0, -1))
        assert starts[-1] - starts[0] > 5 * 0.5 - 0.25
        assert min(later - earlier for earlier, later in pairwise(starts)) > 0.1
        assert float(redis.lrange(f"{key}:idle", 0, -1)[0]) < starts[-2]

    def test_a_retry_waits_for_a_turn_of_its_own(self, key: str) -> None:
        first, second = limited.paced_retry.delay(key, []).get(timeout=PATIENCE_SECONDS)
        assert second - first > 0.4

    def test_a_run_that_met_an_outage_waits_for_another_turn(self, key: str) -> None:
        run = limited.paced_outage.options(headers={"rate_limit_turn": 0}).delay(key)
        assert run.get(timeout=PATIENCE_SECONDS) is False


class TestDeclaring:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"unique_by": "y"}, "unique_by names no parameter: y"),
            ({"rate_limit_key": ("x", "z"), "rate_limit": "1/s"}, "rate_limit_key names no parameter: z"),
            ({"rate_limit_key": "x"}, "rate_limit_key needs a rate_limit"),
            ({"rate_limit_key": ()}, "rate_limit_key needs a rate_limit"),
        ],
    )
    def test_a_mistake_is_refused(self, options: dict[str, Any], message: str) -> None:
        with Celery("declared", task_cls=RecordedTask, set_as_current=False) as declared:

            def function(x: int) -> None: ...

            declared.task(name="declared", shared=False, **options)(function)
            with pytest.raises(ImproperlyConfigured, match=message):
                declared.finalize()
