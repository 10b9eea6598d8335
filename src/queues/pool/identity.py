"""The key that Celery's stacks (`current_task` and its request) are looked up by: the run instead of the thread."""

import functools
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

from celery.utils.threads import get_ident

P = ParamSpec("P")
R = TypeVar("R")

# The key of the run's stacks, and its request id once its coroutine is running.
current_run: ContextVar[tuple[Any, str | None] | None] = ContextVar("celery_run", default=None)

# Whether Celery's own code calls tasks, and so needs the result of a coroutine instead of the coroutine.
called_by_celery: ContextVar[bool] = ContextVar("called_by_celery", default=False)


def waits_for_coroutines(call: Callable[P, R]) -> Callable[P, R]:
    """Wrap a function of Celery that calls tasks, so that a call of a coroutine task returns its result."""

    @functools.wraps(call)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        token = called_by_celery.set(True)
        try:
            return call(*args, **kwargs)
        finally:
            called_by_celery.reset(token)

    return wrapper


def stack_identity() -> Any:
    """The key of the current run, shared by its tracer and its coroutines; outside a run, the thread or greenlet."""
    run = current_run.get()
    return run[0] if run else get_ident()
