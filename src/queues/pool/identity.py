"""The key that Celery's stacks (`current_task` and its request) are looked up by: the run instead of the thread."""

from contextvars import ContextVar
from typing import Any

from celery.utils.threads import get_ident

# The key of the run's stacks, and its request id once its coroutine is running.
current_run: ContextVar[tuple[Any, str | None] | None] = ContextVar("celery_run", default=None)


def stack_identity() -> Any:
    """The key of the current run, shared by its tracer and its coroutines; outside a run, the thread or greenlet."""
    run = current_run.get()
    return run[0] if run else get_ident()
