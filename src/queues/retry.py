"""Retries leave after the coroutine that asked for them: publishing inside it would stop its loop."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from celery.exceptions import Reject, Retry

from src.queues.pool.greenlet_bridge import in_bridge

_postponed: ContextVar[list[Callable[[], object]] | None] = ContextVar("postponed_messages", default=None)


def postpone(send: Callable[[], object]) -> bool:
    """Keep a message that is part of a retry for later; says whether it is."""
    postponed = _postponed.get()
    if postponed is None:
        return False
    postponed.append(send)
    return True


@contextmanager
def retrying() -> Iterator[None]:
    """While Celery's `retry` runs: in a coroutine its message is kept, and travels with the `Retry` that it raises.

    Raises:
        Reject: The message could not be sent; the task goes back to its queue, where Celery would drop it.
    """
    token = _postponed.set([] if _in_coroutine() else None)
    try:
        yield
    except Retry as retry:
        retry.postponed = _postponed.get()  # type: ignore[attr-defined]  # it is our passenger
        raise
    except Reject as reject:
        raise Reject(reject.args[0], requeue=True) from reject
    finally:
        _postponed.reset(token)


def send_postponed(retry: Retry) -> None:
    """Send what `retry` brought along.

    Raises:
        Reject: That did not work; the task goes back to its queue.
    """
    for send in getattr(retry, "postponed", None) or ():
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
