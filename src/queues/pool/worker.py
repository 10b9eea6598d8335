from contextlib import suppress
from inspect import CO_ASYNC_GENERATOR, CO_COROUTINE, CO_GENERATOR
from traceback import walk_tb
from typing import Any

from celery.app import trace
from celery.apps import worker

_SUSPENDABLE = CO_COROUTINE | CO_GENERATOR | CO_ASYNC_GENERATOR


class Worker(worker.Worker):
    """Celery's worker, whose pool has no time limits of its own unless `celery worker` gets them as arguments.

    Tasks take the global limits from the configuration. A pool would apply them again to a task that sets only one.
    """

    def setup_defaults(  # type: ignore[override]  # the base class has more parameters, all keywords
        self, time_limit: float | None = None, soft_time_limit: float | None = None, **kwargs: Any
    ) -> None:
        """Set the attributes that the worker's components read."""
        super().setup_defaults(**kwargs)
        self.time_limit, self.soft_time_limit = time_limit, soft_time_limit


def clear_frames(exc: Any = None) -> None:
    """Free the local variables of a failed run, as Celery does, except those of coroutines and generators.

    Runs that wait for the same work get the same error, whose traceback then leads through all of them. Clearing the
    frame of a coroutine that still waits ends it.
    """
    for frame, _ in walk_tb(getattr(exc, "__traceback__", None)):
        if not frame.f_code.co_flags & _SUSPENDABLE:
            with suppress(RuntimeError):  # it is executing
                frame.clear()


trace.traceback_clear = clear_frames
