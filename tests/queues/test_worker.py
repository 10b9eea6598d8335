"""Tasks, coroutines included, behave as Celery documents on a real worker, in each pool."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from celery import chain, chord, group
from celery.exceptions import SoftTimeLimitExceeded, TaskRevokedError, TimeLimitExceeded
from redis import Redis

from src.core.config import settings
from src.core.ops.report import PROCESSES
from src.queues.app import app
from src.queues.options import Signature
from tests.queues import sample
from tests.queues.conftest import CeleryProcess, free_port, running
from tests.support.metrics import Scraped
from tests.support.pools import POOLS, Pool
from tests.support.waiting import PATIENCE_SECONDS, wait_until

pytestmark = pytest.mark.worker


@pytest.fixture(scope="module", params=POOLS, ids=lambda pool: pool.name)
def pool(request: pytest.FixtureRequest) -> Pool:
    pool: Pool = request.param
    return pool


@pytest.fixture(scope="module", autouse=True)
def worker(pool: Pool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CeleryProcess]:
    """One worker of that pool, which receives all tasks of this module."""
    with running(tmp_path_factory.mktemp(pool.name)) as run, pytest.MonkeyPatch.context() as patch:
        port = str(free_port())
        worker = pool.start(run, f"checks-{pool.name}", OPS_REPORT_SECONDS="0.2", WORKER_METRICS_PORT=port)
        worker.metrics = Scraped(f"http://127.0.0.1:{port}/metrics")
        patch.setattr(sample, "default_queue", f"checks-{pool.name}")
        worker.wait_for("ready.")
        yield worker
        assert worker.stop() == 0
        assert report_of(worker) is None


def report_of(worker: CeleryProcess) -> Any:
    """What a worker has reported of itself."""
    text = Redis.from_url(settings.REDIS_DATABASE_URL).hget(PROCESSES, worker.name)
    return text and json.loads(text)


CAUSES: dict[str, tuple[Signature[Any], dict[str, int]]] = {
    "success": (sample.meet.s("success", 1), {"started": 1, "succeeded": 1}),  # no other test here runs this task
    "failure": (sample.fail.s(), {"started": 1, "failed": 1}),
    "retry": (sample.again.s(1), {"started": 2, "retried": 1, "succeeded": 1}),
    "ignored": (sample.give_up.s(ignored=True), {"started": 1, "revoked": 1}),
    "expired": (sample.meet.s("expired", 1).set(expires=-1), {"revoked": 1}),
    "hard limit": (sample.hard_limited.s(), {"started": 1, "failed": 1}),
}


class TestMetrics:
    @pytest.mark.parametrize("cause", CAUSES)
    def test_each_outcome_is_counted_and_measured_once(self, worker: CeleryProcess, cause: str) -> None:
        signature, expected = CAUSES[cause]
        scraped, name = worker.metrics, str(signature.task)
        wait_until(lambda: scraped.value("worker_running") == 0)  # no run of an earlier test
        before = scraped.read()
        signature.delay()
        changes = wait_until(lambda: scraped.changes("tasks_total", before, expected, task=name))
        assert changes == expected
        starts = expected.get("started", 0)
        assert scraped.change("task_wait_seconds_count", before, task=name) == starts
        assert scraped.change("task_run_seconds_count", before, task=name) == starts

    def test_show_what_is_reserved_and_running(self, worker: CeleryProcess, pool: Pool) -> None:
        sent = [sample.soft_limited.delay(25) for _ in range(2)]
        wait_until(lambda: worker.metrics.value("worker_reserved", queue=f"checks-{pool.name}") >= 2)
        wait_until(lambda: worker.metrics.value("worker_running") >= 1)
        app.control.revoke([result.id for result in sent], terminate=True)
        wait_until(lambda: worker.metrics.value("worker_running") == 0)

    def test_show_the_stores_of_each_process_that_runs_tasks(
        self, worker: CeleryProcess, pool: Pool, redis: Redis, key: str
    ) -> None:
        scraped = worker.metrics
        before = scraped.read()
        sample.announce.apply_async((key,), {"fails": False}).get(timeout=PATIENCE_SECONDS)
        wait_until(lambda: scraped.change("tasks_total", before, task="sample.mark", state="sent") == 1)
        processes = 1 if pool.name == "asyncio" else 2
        pools = processes * (settings.sql.pool_size + settings.sql.max_overflow)

        def all_have_opened_stores() -> bool:
            for result in [sample.work.delay(key, "") for _ in range(processes)]:  # at once, one for each
                result.get(timeout=PATIENCE_SECONDS)
            return scraped.value("sql_pool_size", pool="postgres") == pools

        wait_until(all_have_opened_stores)
        for store in ("postgres", "redis", "mongo", "s3"):
            assert scraped.value("store_available", store=store) == 1
        wait_until(lambda: scraped.value("store_check_seconds_count", store="s3") >= processes)


class TestReports:
    """After the metrics: a run that waits four seconds for a new child is started again, by `visibility_timeout`."""

    def test_show_queues_and_what_is_reserved(self, worker: CeleryProcess, pool: Pool) -> None:
        queue = f"checks-{pool.name}"
        report = wait_until(lambda: report_of(worker))
        assert (report["kind"], report["pid"], report["queues"]) == ("worker", worker.psutil.pid, [queue])
        sent = [sample.soft_limited.delay(25) for _ in range(2)]
        wait_until(lambda: report_of(worker)["reserved"].get(queue, 0) >= 2)
        app.control.revoke([result.id for result in sent], terminate=True)
        wait_until(lambda: report_of(worker)["reserved"] == {})
        assert report_of(worker)["seen_at"] > report["seen_at"]


class TestResults:
    def test_the_result_is_what_the_coroutine_returns(self) -> None:
        assert sample.add.delay(1, 2).get(timeout=PATIENCE_SECONDS) == 3

    def test_synchronous_tasks_work_too(self) -> None:
        assert sample.multiply.delay(2, 3).get(timeout=PATIENCE_SECONDS) == 6

    def test_a_failure_has_the_traceback_of_the_coroutine(self) -> None:
        result = sample.fail.delay()
        with pytest.raises(ValueError, match="as planned"):
            result.get(timeout=PATIENCE_SECONDS)
        assert "in innermost" in str(result.traceback)

    def test_pydantic_models_go_in_and_out(self) -> None:
        mirrored: object = sample.mirror.delay(sample.Point(x=1, y=2)).get(timeout=PATIENCE_SECONDS)
        assert mirrored == {"x": 2, "y": 1}

    async def test_adelay_awaits_the_publishing(self) -> None:
        result = await sample.add.adelay(2, 3)
        assert result.get(timeout=PATIENCE_SECONDS) == 5


class TestUsingTheStores:
    def test_a_thousand_tasks_share_the_clients_of_their_process(self, pool: Pool) -> None:
        results = [sample.query.delay() for _ in range(1000)]
        seen = [result.get(timeout=PATIENCE_SECONDS) for result in results]
        processes = {pid for pid, *_ in seen}
        assert len(processes) == (1 if pool.name == "asyncio" else 2)
        assert len({(pid, engine, redis) for pid, engine, redis, _ in seen}) == len(processes)

    def test_effects_are_sent_after_the_commit(self, redis: Redis, key: str) -> None:
        sample.announce.apply_async((key,), {"fails": False}).get(timeout=PATIENCE_SECONDS)
        wait_until(lambda: redis.lrange(key, 0, -1) == ["sent after commit"])

    def test_events_reach_the_socket_servers(self, redis: Redis, key: str) -> None:
        with redis.pubsub(ignore_subscribe_messages=True) as channel:  # type: ignore[no-untyped-call]  # redis-py's own
            channel.subscribe("socketio")
            channel.get_message(timeout=5)
            sample.announce.apply_async((key,), {"fails": False}).get(timeout=PATIENCE_SECONDS)
            message = channel.get_message(timeout=5)
        assert message is not None
        event = json.loads(message["data"])
        assert (event["event"], event["room"], event["data"][0]["name"]) == ("task.progress", key, "sample.announce")

    def test_a_rollback_sends_nothing(self, redis: Redis, key: str) -> None:
        with pytest.raises(ValueError, match="nothing may leave"):
            sample.announce.apply_async((key,), {"fails": True}).get(timeout=PATIENCE_SECONDS)
        # A task sent by the rolled-back run would have run before this one.
        assert sample.add.delay(1, 1).get(timeout=PATIENCE_SECONDS) == 2
        assert redis.lrange(key, 0, -1) == []


class TestRetrying:
    def test_autoretry_sees_what_the_coroutine_raises(self) -> None:
        assert sample.flaky.delay(2).get(timeout=PATIENCE_SECONDS) == 2

    def test_autoretry_gives_up(self) -> None:
        with pytest.raises(sample.FlakyError):
            sample.flaky.delay(9).get(timeout=PATIENCE_SECONDS)

    def test_self_retry_runs_the_coroutine_again(self) -> None:
        assert sample.again.delay(2).get(timeout=PATIENCE_SECONDS) == 2


class TestTimeLimits:
    def test_the_soft_limit_is_raised_in_the_coroutine(self) -> None:
        assert sample.overdue.delay(handles=True).get(timeout=PATIENCE_SECONDS) == "tidied up"

    def test_an_unhandled_soft_limit_fails_the_task(self) -> None:
        with pytest.raises(SoftTimeLimitExceeded):
            sample.overdue.delay(handles=False).get(timeout=PATIENCE_SECONDS)

    def test_the_soft_limit_counts_as_a_cancellation(self) -> None:
        assert sample.overdue_child.delay().get(timeout=PATIENCE_SECONDS) == "SoftTimeLimitCancelled"

    def test_the_hard_limit_ends_a_task_that_ignores_the_soft_one(self) -> None:
        with pytest.raises(TimeLimitExceeded):
            sample.overrun.delay().get(timeout=PATIENCE_SECONDS)
        assert sample.add.delay(1, 1).get(timeout=PATIENCE_SECONDS) == 2


class TestCurrentRequest:
    def test_concurrent_coroutines_see_their_own_request(self) -> None:
        results = [sample.identities.delay() for _ in range(40)]
        assert [set(result.get(timeout=PATIENCE_SECONDS)) for result in results] == [{result.id} for result in results]

    def test_a_task_may_await_itself(self) -> None:
        assert sample.factorial.delay(5).get(timeout=PATIENCE_SECONDS) == 120


class TestWorkflows:
    def test_a_chain_passes_results_on(self) -> None:
        assert (
            chain(sample.add.s(1, 2), sample.add.s(3), sample.multiply.s(2)).delay().get(timeout=PATIENCE_SECONDS) == 12
        )

    def test_a_group_collects_results(self) -> None:
        assert group(sample.add.s(n, n) for n in range(5)).delay().get(timeout=PATIENCE_SECONDS) == [0, 2, 4, 6, 8]

    def test_a_chord_runs_its_body_last(self) -> None:
        assert chord([sample.add.s(n, n) for n in range(5)])(sample.total.s()).get(timeout=PATIENCE_SECONDS) == 20


class TestCoroutineTasksCalledByCelery:
    """Celery calls error callbacks and the items of `map` as functions; it needs their results, not coroutines."""

    @pytest.mark.parametrize("failing", [sample.fail, sample.overrun], ids=["an error", "the hard limit"])
    def test_an_error_callback_gets_request_error_and_traceback(self, redis: Redis, failing: Any) -> None:
        result = failing.apply_async(link_error=sample.on_error.s())
        calls = wait_until(lambda: redis.lrange(f"errors:{result.id}", 0, -1))
        # Celery calls it twice for a hard limit in the prefork pool: for the failure, and for the timeout.
        assert set(calls) == {f"{'ValueError' if failing is sample.fail else 'TimeLimitExceeded'} seen by 42"}

    def test_an_error_callback_of_one_parameter_gets_the_task_id(self, redis: Redis) -> None:
        result = sample.fail.apply_async(link_error=sample.on_error_id.s())
        assert wait_until(lambda: redis.lrange(f"errors:{result.id}", 0, -1)) == ["sent"]

    def test_an_immutable_error_callback_runs(self, redis: Redis, key: str) -> None:
        sample.fail.apply_async(link_error=sample.mark.si(key, "immutable"))
        assert wait_until(lambda: redis.lrange(key, 0, -1)) == ["immutable"]

    def test_map(self) -> None:
        assert sample.total.map([[1, 2], [3]]).delay().get(timeout=PATIENCE_SECONDS) == [3, 3]

    def test_starmap(self) -> None:
        assert sample.add.starmap([(1, 2), (3, 4)]).delay().get(timeout=PATIENCE_SECONDS) == [3, 7]

    def test_chunks(self) -> None:
        chunks = sample.add.chunks([(n, n) for n in range(5)], 2)
        assert chunks.apply_async().get(timeout=PATIENCE_SECONDS) == [[0, 2], [4, 6], [8]]

    def test_an_error_callback_of_a_chain(self, redis: Redis, key: str) -> None:
        failing = chain(sample.add.s(1, 2), sample.fail.si(), sample.multiply.s(2))
        failing.apply_async(link_error=sample.mark.si(key, "chain"))
        assert wait_until(lambda: redis.lrange(key, 0, -1)) == ["chain"]

    def test_an_error_callback_of_a_chord(self, redis: Redis, key: str) -> None:
        chord([sample.add.s(1, 2), sample.fail.si()])(sample.total.s().on_error(sample.mark.si(key, "chord")))
        assert wait_until(lambda: redis.lrange(key, 0, -1)) == ["chord"]


class TestTiming:
    def test_an_eta_is_kept(self) -> None:
        eta = datetime.now(UTC) + timedelta(seconds=1)
        sample.add.apply_async((1, 2), eta=eta).get(timeout=PATIENCE_SECONDS)
        assert datetime.now(UTC) >= eta

    def test_a_revoked_task_never_runs(self, redis: Redis, key: str) -> None:
        result = sample.mark.apply_async((key, "ran"), countdown=1)
        app.control.revoke(result.id)
        with pytest.raises(TaskRevokedError):
            result.get(timeout=PATIENCE_SECONDS)
        assert redis.lrange(key, 0, -1) == []

    def test_terminate_stops_a_running_coroutine(self, redis: Redis, key: str) -> None:
        result = sample.overdue.delay(handles=True)
        wait_until(lambda: result.state == "STARTED")
        app.control.revoke(result.id, terminate=True)
        with pytest.raises(TaskRevokedError):
            result.get(timeout=PATIENCE_SECONDS)
        assert sample.add.delay(1, 1).get(timeout=PATIENCE_SECONDS) == 2

    def test_the_worker_responds_to_ping_while_tasks_run(self, worker: CeleryProcess, redis: Redis, key: str) -> None:
        result = sample.wait_for.delay(key)
        wait_until(lambda: redis.llen(f"{key}:started"))
        assert app.control.ping(destination=[worker.name], timeout=5) == [{worker.name: {"ok": "pong"}}]
        redis.rpush(f"{key}:go", "gone on")
        assert result.get(timeout=PATIENCE_SECONDS) == "gone on"


def test_an_idle_worker_uses_no_cpu(worker: CeleryProcess) -> None:
    # The first measurement may include work left by earlier tests, such as replacing a killed child.
    assert any(worker.idle_share(4) < 0.03 for _ in range(2))


class TestLog:
    def test_has_one_structured_line_per_run_without_its_result(self, worker: CeleryProcess) -> None:
        result = sample.mirror.delay(sample.Point(x=4711, y=1))
        result.get(timeout=PATIENCE_SECONDS)
        line = wait_until(lambda: [line for line in worker.output.splitlines() if result.id in line])[0]
        entry = json.loads(line)
        assert (entry["event"], entry["task"]) == (f"Task sample.mirror[{result.id}] succeeded", "sample.mirror")
        assert (entry["task_id"], entry["request_id"], entry["level"]) == (result.id, result.id, "info")
        assert entry["ms"] >= 0
        assert "4711" not in line

    def test_a_failure_is_an_error_with_its_traceback(self, worker: CeleryProcess) -> None:
        task_id = sample.fail.delay().id
        lines = wait_until(lambda: [json.loads(line) for line in worker.output.splitlines() if task_id in line])
        (entry,) = [line for line in lines if "raised unexpected" in line["event"]]
        assert (entry["level"], entry["task"], "innermost" in str(entry["exception"])) == ("error", "sample.fail", True)


def test_the_worker_logged_no_unexpected_errors(worker: CeleryProcess) -> None:
    lines = [line for line in worker.log.read_text().splitlines() if line.startswith("{")]
    entries: list[dict[str, Any]] = [json.loads(line) for line in lines]
    errors = [entry for entry in entries if entry["level"] in ("error", "critical")]
    expected = (
        "as planned",
        "nothing may leave",
        "FlakyError",
        "TimeLimitExceeded",
        "Hard time limit",
    )
    assert [entry for entry in errors if not any(text in str(entry) for text in expected)] == []
