"""The message of a retry inside a coroutine is sent after the coroutine has exited, and is not lost."""

from collections.abc import Callable

import pytest
from celery.exceptions import Reject, Retry

from src.queues.retry import defer, retrying, send_deferred
from tests.queues import sample
from tests.queues.conftest import Run
from tests.support.pools import POOLS, Pool
from tests.support.waiting import PATIENCE_SECONDS


def failing() -> None:
    raise ConnectionError("no broker")


def retry(send: Callable[[], object]) -> None:
    """Like Celery's `retry`: send the message, then raise."""
    with retrying():
        if not defer(send):
            send()
        raise Retry


class TestInACoroutine:
    async def test_the_message_is_attached_to_the_exception(self) -> None:
        sent: list[str] = []
        with pytest.raises(Retry) as raised:
            retry(lambda: sent.append("message"))
        assert sent == []
        send_deferred(raised.value)
        assert sent == ["message"]

    async def test_a_task_whose_message_is_refused_returns_to_its_queue(self) -> None:
        with pytest.raises(Retry) as raised:
            retry(failing)
        with pytest.raises(Reject) as rejected:
            send_deferred(raised.value)
        assert "requeue=True" in repr(rejected.value)

    async def test_other_messages_are_sent_at_once(self) -> None:
        assert not defer(failing)


class TestOutsideACoroutine:
    def test_the_message_is_sent_at_once(self) -> None:
        sent: list[str] = []
        with pytest.raises(Retry):
            retry(lambda: sent.append("message"))
        assert sent == ["message"]

    def test_a_task_that_celery_would_lose_returns_to_its_queue(self) -> None:
        with pytest.raises(Reject) as rejected, retrying():
            raise Reject(ConnectionError("no broker"), requeue=False)
        assert "requeue=True" in repr(rejected.value)


@pytest.mark.worker
@pytest.mark.parametrize("pool", POOLS, ids=lambda pool: pool.name)
def test_a_retry_keeps_the_queue_and_the_priority_of_its_message(run: Run, pool: Pool, key: str) -> None:
    worker = pool.start(run, key, SAMPLE_QUEUE="elsewhere")
    worker.wait_for("ready.")
    results = [
        sample.returned.apply_async((countdown,), queue=key, priority=priority)
        for countdown, priority in ((0, 3), (2, 6), (0, 0))
    ]
    assert [result.get(timeout=PATIENCE_SECONDS) for result in results] == [["", key, 3], ["", key, 6], ["", key, 0]]
    assert worker.stop() == 0
