"""Retries that a coroutine asks for leave after it has ended, and are not lost."""

from collections.abc import Callable

import pytest
from celery.exceptions import Reject, Retry

from src.queues.retry import postpone, retrying, send_postponed


def failing() -> None:
    raise ConnectionError("no broker")


def retry(send: Callable[[], object]) -> None:
    """What Celery's `retry` does: it sends, and raises."""
    with retrying():
        if not postpone(send):
            send()
        raise Retry


class TestInACoroutine:
    async def test_the_message_travels_with_the_exception(self) -> None:
        sent: list[str] = []
        with pytest.raises(Retry) as raised:
            retry(lambda: sent.append("message"))
        assert sent == []
        send_postponed(raised.value)
        assert sent == ["message"]

    async def test_a_task_whose_message_is_not_taken_goes_back_to_its_queue(self) -> None:
        with pytest.raises(Retry) as raised:
            retry(failing)
        with pytest.raises(Reject) as rejected:
            send_postponed(raised.value)
        assert "requeue=True" in repr(rejected.value)

    async def test_other_messages_leave_at_once(self) -> None:
        assert not postpone(failing)


class TestElsewhere:
    def test_the_message_leaves_at_once(self) -> None:
        sent: list[str] = []
        with pytest.raises(Retry):
            retry(lambda: sent.append("message"))
        assert sent == ["message"]

    def test_a_task_that_celery_would_drop_goes_back_to_its_queue(self) -> None:
        with pytest.raises(Reject) as rejected, retrying():
            raise Reject(ConnectionError("no broker"), requeue=False)
        assert "requeue=True" in repr(rejected.value)
