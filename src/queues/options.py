"""Celery's options with types: for declaring a task, and for sending one message."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypedDict

from celery import Task
from celery.canvas import Signature


class TaskOptions(TypedDict, total=False):
    """Options of `@app.task`; Celery's user guide describes each, and `RecordedTask` the last two."""

    name: str
    base: "type[Task[..., Any]]"
    pydantic: bool
    pydantic_strict: bool
    pydantic_context: dict[str, Any]
    autoretry_for: Sequence[type[Exception]]
    dont_autoretry_for: Sequence[type[Exception]]
    retry_kwargs: dict[str, Any]
    retry_backoff: bool | int
    retry_backoff_max: int
    retry_jitter: bool
    max_retries: int | None
    default_retry_delay: int
    rate_limit: str
    time_limit: float
    soft_time_limit: float
    acks_late: bool
    acks_on_failure_or_timeout: bool
    reject_on_worker_lost: bool
    track_started: bool
    ignore_result: bool
    store_errors_even_if_ignored: bool
    throws: tuple[type[Exception], ...]
    expires: float
    queue: str
    priority: int
    serializer: str
    shared: bool
    lazy: bool
    tracked: bool
    max_redeliveries: int


class SendOptions(TypedDict, total=False):
    """Options of one message; Celery's guide to calling tasks describes each."""

    countdown: float
    eta: datetime
    expires: float | datetime | timedelta
    queue: str
    routing_key: str
    exchange: str
    priority: int
    headers: Mapping[str, Any]
    task_id: str
    shadow: str
    time_limit: float
    soft_time_limit: float
    ignore_result: bool
    retry: bool
    link: "Signature[Any]"
    link_error: "Signature[Any]"
