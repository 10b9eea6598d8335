"""Retries runs that met an unavailable store: with backoff, until the outage has the task's `outage_retry_seconds`."""

import functools
import inspect
import random
import time
from typing import Any

import structlog
from celery import current_task

from src.core.outages import report_outage
from src.core.stores.errors import as_unavailable, summary
from src.core.tasks.errors import PermanentError
from src.queues.broker.malformed import DEAD_LETTERS
from src.queues.results.postpone import postpone
from src.queues.results.start_limits import TURN

log = structlog.get_logger(__name__)

MAXIMUM_DELAY_SECONDS = 60
# The message header of a run that met an outage: since when, and in which of its attempts.
OUTAGE = "outage"


def retry_outages(cls: Any, seconds: float) -> None:
    """Wrap the `run` of a task class; after `seconds` of retries the run fails and a copy is kept as dead letter.

    So is that of a run that raises `PermanentError`, which is not retried.
    """
    run = cls.run

    @functools.wraps(run)
    def run_or_retry(*args: Any, **kwargs: Any) -> Any:
        try:
            return run(*args, **kwargs)
        except Exception as error:
            task = current_task
            is_permanent = isinstance(error, PermanentError)
            if not (is_permanent or _is_outage(error)) or task.name != cls.name:
                raise
            if task.request.called_directly or task.request.is_eager:
                raise
            if is_permanent:
                _keep_dead_letter(task)
                raise
            if isinstance(error, tuple(getattr(task, "autoretry_for", ()))):
                raise  # the task has a policy of its own
            _retry(task, error, seconds)
            raise

    is_static = isinstance(inspect.getattr_static(cls, "run"), staticmethod)
    cls.run = staticmethod(run_or_retry) if is_static else run_or_retry


def _is_outage(error: Exception) -> bool:
    return as_unavailable(error) is not None


def _retry(task: Any, error: Exception, seconds: float) -> None:
    """Raise Celery's `Retry`, unless the outage is too old."""
    request = task.request
    since, attempt = getattr(request, OUTAGE, None) or (time.time(), request.retries)
    if attempt != request.retries:  # the attempt before ended in another way
        since = time.time()
    age = time.time() - since
    unavailable = as_unavailable(error)
    report_outage(unavailable.store if unavailable else "", summary(error))
    if age < seconds:
        delay = random.uniform(1, min(max(age, 1), MAXIMUM_DELAY_SECONDS))  # noqa: S311 - spreads the load
        postpone(task, delay, error, {OUTAGE: (since, request.retries), TURN: None})  # it needs another turn
    log.error("task_gave_up", task=task.name, task_id=request.id, seconds=round(age), reason=summary(error))
    _keep_dead_letter(task)


def _keep_dead_letter(task: Any) -> None:
    headers = {"dead_letter_of": (task.request.delivery_info or {}).get("routing_key")}
    task.signature_from_request(task.request, queue=DEAD_LETTERS, headers=headers).apply_async()
