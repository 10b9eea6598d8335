"""Celery's options and signatures with types: for declaring a task, for one message, and for workflows."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, Self, TypedDict, TypeVar, Unpack, overload

from celery import Task, canvas

P = ParamSpec("P")
Rest = ParamSpec("Rest")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class TaskOptions(TypedDict, total=False):
    """Options of `@app.task`; Celery's user guide describes each, `AsyncTask` and `RecordedTask` the last six."""

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
    unique_by: str | Sequence[str]
    rate_limit_key: str | Sequence[str]
    outage_retry_seconds: float
    requires: str


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
    link: "canvas.Signature[Any]"
    link_error: "canvas.Signature[Any]"


if TYPE_CHECKING:

    class Signature(canvas.Signature[R_co]):
        """A call that can be sent later, or be part of a workflow: `add.s(1, 2) | double.s()`."""

        def __or__(self, other: canvas.Signature[R]) -> "Signature[R]":  # type: ignore[override]  # the stubs lose R
            """A chain: its result is that of its last task."""

        def __ror__(self, other: canvas.Signature[Any]) -> "Signature[R_co]":  # type: ignore[override]  # the same
            """A chain that ends with this task."""

        def set(self, immutable: bool | None = None, **options: Unpack[SendOptions]) -> Self:  # type: ignore[override]  # the stubs forget the class
            """Set options of the message."""

else:
    Signature = canvas.Signature


class SignatureFactory(Protocol[P, R_co]):
    """The type of `task.s`: takes all arguments, or those that remain after the ones that Celery passes first.

    A task in a chain gets the previous result, the body of a chord the list of results, an error callback the id of the
    failed task or `request, exc, traceback`.
    """

    @overload
    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Signature[R_co]: ...
    @overload
    def __call__(
        self: "SignatureFactory[Concatenate[Any, Rest], R_co]", *args: Rest.args, **kwargs: Rest.kwargs
    ) -> Signature[R_co]: ...
    @overload
    def __call__(
        self: "SignatureFactory[Concatenate[Any, Any, Any, Rest], R_co]", *args: Rest.args, **kwargs: Rest.kwargs
    ) -> Signature[R_co]: ...
