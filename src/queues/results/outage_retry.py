"""Retries runs that met an unavailable store: with backoff, and at most until the outage has an age."""

import functools
import inspect
import sys
import time
from typing import Any

import structlog
from celery import current_task
from celery.utils.time import get_exponential_backoff_interval

from src.core.stores.errors import as_unavailable, summary

log = structlog.get_logger(__name__)

MAXIMUM_DELAY_SECONDS = 60
QUEUE = "dead-letters"  # as of messages that no worker can run


def retry_outages(cls: Any, seconds: float) -> None:
    """Wrap the `run` of a task class; after `seconds` of retries the run fails and a copy is kept as dead letter."""
    run = cls.run

    @functools.wraps(run)
    def run_or_retry(*args: Any, **kwargs: Any) -> Any:
        try:
            return run(*args, **kwargs)
        except Exception as error:
            task = current_task
            if not _is_outage(error) or task.name != cls.name or task.request.called_directly or task.request.is_eager:
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
    since = getattr(request, "outage_since", None) or time.time()
    if time.time() - since < seconds:
        delay = get_exponential_backoff_interval(1, request.retries, MAXIMUM_DELAY_SECONDS, full_jitter=True)
        headers = {**(request.headers or {}), "outage_since": since}
        task.retry(exc=error, countdown=max(delay, 1), max_retries=sys.maxsize, headers=headers)
    log.error(
        "task_gave_up", task=task.name, task_id=request.id, seconds=round(time.time() - since), reason=summary(error)
    )
    headers = {"dead_letter_of": (request.delivery_info or {}).get("routing_key")}
    task.signature_from_request(request, queue=QUEUE, headers=headers).apply_async()
