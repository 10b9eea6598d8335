from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypedDict, TypeVar, cast

from celery.canvas import Signature
from celery.result import AsyncResult

from src.queues.publisher_thread import publisher

if TYPE_CHECKING:
    from src.queues.task import AsyncTask

P = ParamSpec("P")
R = TypeVar("R")


class SendOptions(TypedDict, total=False):
    """How one message is sent; see Celery's guide to calling tasks for each."""

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


class Prepared(Generic[P, R]):
    """A task and how it is to be sent: `apply_async` with the types of the task's function.

    Args:
        task: The task.
        options: How to send it.
    """

    def __init__(self, task: "AsyncTask[P, R, Any]", options: SendOptions) -> None:
        self._task = task
        self._options = options

    def delay(self, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[R]:
        """Send it."""
        return self._task.apply_async(args, kwargs, **self._options)

    async def adelay(self, *args: P.args, **kwargs: P.kwargs) -> AsyncResult[R]:
        """Send it without blocking the caller's loop.

        Raises:
            ServiceUnavailableError: The broker did not take the message in time.
        """
        return await publisher.publish(self._task.apply_async, args, kwargs, **self._options)

    def s(self, *args: P.args, **kwargs: P.kwargs) -> "Signature[R]":
        """Make a signature of it, for a workflow."""
        return self._task.s(*args, **kwargs).set(**cast("dict[str, Any]", self._options))
