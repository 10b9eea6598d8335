"""The message of a retry inside a coroutine is sent after the coroutine has exited, and is not lost."""

from collections.abc import Callable

import pytest
from celery.exceptions import Reject, Retry

from src.queues.retry import defer, retrying, send_deferred


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
