"""Publishing inside a coroutine would block its loop, so the message of a retry is sent after the coroutine exits."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from celery.exceptions import Reject, Retry

from src.queues.pool.greenlet_bridge import in_bridge

_deferred: ContextVar[list[Callable[[], object]] | None] = ContextVar("deferred_messages", default=None)


def defer(send: Callable[[], object]) -> bool:
    """Defer a message if it is part of a retry inside a coroutine; returns whether it is."""
    deferred = _deferred.get()
    if deferred is None:
        return False
    deferred.append(send)
    return True


@contextmanager
def retrying() -> Iterator[None]:
    """Inside a coroutine, defer publishing the retry message until the coroutine has exited.

    The message is attached to the `Retry` that Celery raises.

    Raises:
        Reject: The message could not be sent; the task returns to its queue, where Celery alone would lose it.
    """
    token = _deferred.set([] if _in_coroutine() else None)
    try:
        yield
    except Retry as retry:
        retry.deferred = _deferred.get()  # type: ignore[attr-defined]  # our own attribute
        raise
    except Reject as reject:
        raise Reject(reject.args[0], requeue=True) from reject
    finally:
        _deferred.reset(token)


def send_deferred(retry: Retry) -> None:
    """Send the messages attached to a `Retry`.

    Raises:
        Reject: A message could not be sent; the task returns to its queue.
    """
    for send in getattr(retry, "deferred", None) or ():
        try:
            send()
        except Exception as error:
            raise Reject(error, requeue=True) from error


def _in_coroutine() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return not in_bridge()
