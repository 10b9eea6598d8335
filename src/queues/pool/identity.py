"""Whose code is running: what Celery's stacks (current task, its request) are looked up by."""

from contextvars import ContextVar
from typing import Any

from celery.utils.threads import get_ident

# Whose stacks they are, and the id of the request whose coroutine is running, once it is.
current_run: ContextVar[tuple[Any, str | None] | None] = ContextVar("celery_run", default=None)


def stack_identity() -> Any:
    """Coroutines of one task share the stacks of its tracer, whichever thread or greenlet that is in."""
    run = current_run.get()
    return run[0] if run else get_ident()
