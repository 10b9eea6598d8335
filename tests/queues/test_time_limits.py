"""The time limits of a task replace the global ones as a pair, in each pool."""

from typing import Any
from uuid import uuid4

import pytest
from billiard.einfo import ExceptionInfo
from celery import states
from celery.exceptions import TimeLimitExceeded
from celery.worker import state
from kombu.message import Message
from redis import Redis

from src.core.config import settings
from src.core.tasks.run_event import STREAM, RunEvent
from src.queues.celery import Celery
from src.queues.inspection.measured_request import MeasuredRequest
from tests.queues import sample
from tests.queues.conftest import Run
from tests.support.pools import POOLS, Pool
from tests.support.waiting import PATIENCE_SECONDS


@pytest.mark.worker
@pytest.mark.parametrize("pool", POOLS, ids=lambda pool: pool.name)
def test_a_tasks_own_limit_replaces_both_global_ones(run: Run, pool: Pool, key: str) -> None:
    worker = pool.start(run, key, SAMPLE_TIME_LIMIT="1")
    worker.wait_for("ready.")
    patient = sample.soft_limited.apply_async((2.5,), queue=key)
    endless = sample.hard_limited.apply_async(queue=key)
    assert patient.get(timeout=PATIENCE_SECONDS) == "finished"
    with pytest.raises(TimeLimitExceeded, match="2"):
        endless.get(timeout=PATIENCE_SECONDS)
    assert worker.stop() == 0
    with Redis.from_url(str(settings.CELERY_REDIS_URL), decode_responses=True) as broker:
        assert not broker.llen(key)
        assert not [message for message in broker.hvals("unacked") if endless.id in message]
    with Redis.from_url(settings.REDIS_DATABASE_URL, decode_responses=True) as redis:
        entries: Any = redis.xrange(STREAM)
    events = [fields["event"] for _, fields in entries if endless.id in fields["event"]]  # others' may be malformed
    assert [RunEvent.model_validate_json(event).state for event in events] == [states.STARTED, states.FAILURE]


class TestDuringAColdShutdown:
    """Celery does not record that a run exceeded its hard limit then, so the run has to be repeated."""

    @pytest.fixture
    def request_(self, monkeypatch: pytest.MonkeyPatch) -> MeasuredRequest:
        monkeypatch.setattr(state, "should_terminate", True)
        headers = {"id": str(uuid4()), "task": "sample.hard_limited"}
        message = Message("[[], {}, {}]", headers=headers, content_type="application/json", content_encoding="utf-8")
        return MeasuredRequest(message, app=sample.app, task=sample.hard_limited)

    def test_the_asyncio_pool_leaves_the_message(self, request_: MeasuredRequest) -> None:
        request_.on_timeout(soft=False, timeout=2)
        assert not request_.acknowledged

    def test_the_prefork_pool_leaves_the_message(self, request_: MeasuredRequest) -> None:
        request_.on_timeout(soft=False, timeout=2)
        try:
            raise TimeLimitExceeded(2)
        except TimeLimitExceeded:
            request_.on_failure(ExceptionInfo())
        assert not request_.acknowledged


class TestOptions:
    @pytest.fixture
    def app(self) -> Celery:
        app = Celery("limited", broker="memory://", set_as_current=False)
        app.conf.update(task_time_limit=600, task_soft_time_limit=570)
        return app

    def test_a_hard_limit_below_the_global_soft_limit_can_be_sent(self, app: Celery) -> None:
        @app.task(name="limited.short", time_limit=60, shared=False)
        async def short() -> None: ...

        assert short.delay().id
        assert (short.time_limit, short.soft_time_limit) == (60, None)

    def test_a_soft_limit_above_the_global_hard_limit_can_be_sent(self, app: Celery) -> None:
        @app.task(name="limited.long", soft_time_limit=3600, shared=False)
        async def long() -> None: ...

        assert long.delay().id
        assert (long.time_limit, long.soft_time_limit) == (None, 3600)

    def test_a_task_without_limits_has_the_global_ones(self, app: Celery) -> None:
        @app.task(name="limited.usual", shared=False)
        async def usual() -> None: ...

        assert usual.delay().id
        assert (usual.time_limit, usual.soft_time_limit) == (600, 570)
