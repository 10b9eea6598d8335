"""The task class whose runs are recorded in the run history: their start by a hook, their outcome by signals."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import zip_longest
from typing import Any, ClassVar, Generic, ParamSpec, TypeVar
from uuid import UUID

from celery import current_task, signals, states
from celery.exceptions import TimeLimitExceeded
from pydantic_core import to_json

from src.core.logging import request_id
from src.core.security.actor import current_actor_id
from src.core.tasks.run_event import MAXIMUM_BYTES, UncheckedRunEvent
from src.queues.pool.greenlet_bridge import off_loop
from src.queues.results.errors import DuplicateRunError, PoisonedTaskError, RevokedRunError, SucceededRunError
from src.queues.results.outage_retry import retry_outages
from src.queues.results.run_history import run_history, run_id
from src.queues.results.start_limits import check_declaration, start_limits
from src.queues.task import AsyncTask
from src.utils.date import utc_now
from src.utils.masking import MASK, is_secret, masked
from src.utils.text import to_storable

P = ParamSpec("P")
R = TypeVar("R")
Called = TypeVar("Called")


class RecordedTask(AsyncTask[P, R, Called], Generic[P, R, Called]):
    """A task whose runs are in the run history, do not start once revoked, and cannot kill one worker after another.

    Reads `app.conf.run_history_url`.

    Attributes:
        tracked: Whether runs are recorded; frequent housekeeping switches it off.
        max_redeliveries: How often a run is started again after its worker was lost.
        unique_by: Parameters: a run does not start while another one with the same values is running. `()`: one run at
            a time.
        outage_retry_seconds: A run that met an unavailable store is retried with backoff until the outage is this old;
            then it fails, and its message goes to `dead-letters`. 0 is never. Housekeeping is not retried.
        rate_limit_key: Parameters: `rate_limit` counts per value, across all workers, and later runs wait. `()`: it
            counts all runs.
    """

    abstract = True
    Request = "src.queues.inspection.measured_request:MeasuredRequest"
    tracked: ClassVar[bool] = True
    max_redeliveries: ClassVar[int] = 3
    outage_retry_seconds: ClassVar[float] = 3600
    unique_by: ClassVar[str | Sequence[str] | None] = None
    rate_limit_key: ClassVar[str | Sequence[str] | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "run" in cls.__dict__ and cls.tracked and cls.outage_retry_seconds:
            retry_outages(cls, cls.outage_retry_seconds)

    @classmethod
    def on_bound(cls, app: Any) -> None:
        """Check the task's options when it is declared."""
        super().on_bound(app)
        check_declaration(cls)

    def before_start(self, task_id: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Record the start and restore the sender's context; Celery calls it before the task.

        Raises:
            RevokedRunError: The run was revoked.
            PoisonedTaskError: The run has lost too many workers.
            SucceededRunError: The run had succeeded when its worker was lost.
            DuplicateRunError: A run with the same values of `unique_by` is running.
            Retry: The run waits for its turn.
        """
        run, request = run_id(task_id), self.request
        requested_by = getattr(request, "requested_by", None)
        # Log lines and tasks of this run belong to the request and the user that caused it; without a request, to it.
        current_actor_id.set(UUID(requested_by) if requested_by else None)
        request_id.set(getattr(request, "request_id", None) or task_id)
        if request.is_eager:
            return
        self._check_limits(task_id, args, kwargs)
        if run is None or not self.tracked:
            return
        event = _event(run, {"state": states.STARTED, **origin(request), **self._masked_arguments(args, kwargs)})
        is_redelivered = bool((request.delivery_info or {}).get("redelivered"))
        start = run_history(self.app).start(event, is_redelivered=is_redelivered)
        # A part of a chord is counted after its result is stored: the lost worker may not have done that.
        if is_redelivered and not request.chord:
            stored = off_loop(None, self.backend.get_task_meta, task_id)
            if stored["status"] == states.SUCCESS:
                raise SucceededRunError(stored["result"])
        if start.is_revoked:
            self.backend.mark_as_revoked(task_id, "revoked", request)
            raise RevokedRunError("revoked")
        if start.redeliveries > self.max_redeliveries:
            raise PoisonedTaskError(f"{start.redeliveries} workers were lost while they ran it")

    def _check_limits(self, task_id: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        if self.unique_by is None and self.rate_limit_key is None:
            return
        limits = start_limits(self.app.conf.run_history_url)
        if self.unique_by is not None and (holder := limits.acquire(self, args, kwargs)):
            self.backend.mark_as_revoked(task_id, f"duplicate of {holder}", self.request)
            raise DuplicateRunError(f"duplicate of {holder}")
        if self.rate_limit_key is not None:
            limits.wait_for_turn(self, args, kwargs)

    def _masked_arguments(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        named = zip_longest(args, _parameters(self.run)[: len(args)], fillvalue="")
        stored = {
            "args": to_storable([MASK if is_secret(name) else masked(value) for value, name in named]),
            "kwargs": to_storable(masked(kwargs)),
        }
        is_complete = stored == {"args": list(args), "kwargs": dict(kwargs)}
        if len(to_json(stored, fallback=repr)) > MAXIMUM_BYTES:
            return {"args": [], "kwargs": {}, "is_complete": False}
        return {**stored, "is_complete": is_complete}


def origin(request: Any) -> dict[str, Any]:
    """Fields of a run event that Celery's request knows."""
    return {
        "name": getattr(request, "task", None),
        "queue": (getattr(request, "delivery_info", None) or {}).get("routing_key"),
        "worker": getattr(request, "hostname", None),
        **{name: getattr(request, name, None) for name in ("requested_by", "request_id", "queued_at", "schedule_id")},
    }


@signals.before_task_publish.connect
def _add_origin_headers(headers: dict[str, Any], **_signal: object) -> None:
    """Write user, request and queueing time into a message, unless the sender has."""
    actor_id = current_actor_id.get()
    headers.setdefault("requested_by", str(actor_id) if actor_id else None)
    headers.setdefault("request_id", request_id.get() or None)
    current = getattr(current_task, "request", None)
    if current is not None and current.id == headers["id"]:  # a retry of the current run
        headers.setdefault("queued_at", getattr(current, "queued_at", None))
        headers.setdefault("schedule_id", getattr(current, "schedule_id", None))
    headers.setdefault("queued_at", utc_now().isoformat())


@signals.task_success.connect
def _record_success(sender: Any, result: Any, **_signal: object) -> None:
    request = sender.request
    _record(sender, request.id, request, {"state": states.SUCCESS, "result": _masked_result(result)}, waits=True)


@signals.task_failure.connect
def _record_failure(sender: Any, task_id: str, exception: BaseException, einfo: Any, **_signal: object) -> None:
    # A process that finds a worker lost, or a task overdue, has no current request: the fields of `origin` are None.
    is_in_run = _is_in_run(task_id)
    if isinstance(exception, TimeLimitExceeded) and sender.request.id == task_id and not is_in_run:
        return  # in the prefork pool Celery sends the signal twice, the second time as in other pools
    _record(sender, task_id, sender.request, {"state": states.FAILURE, **_error(exception, einfo)}, waits=is_in_run)


@signals.task_retry.connect
def _record_retry(sender: Any, request: Any, einfo: Any, reason: Any = None, **_signal: object) -> None:
    error = getattr(reason, "exc", None) or reason
    _record(sender, request.id, request, {"state": states.RETRY, **(_error(error, einfo) if error else {})}, waits=True)


@signals.task_revoked.connect
def _record_revocation(sender: Any, request: Any, terminated: bool, expired: bool, **_signal: object) -> None:
    reason = "terminated" if terminated else "expired" if expired else "revoked"
    _record(sender, request.id, request, {"state": states.REVOKED, "error": reason}, waits=_is_in_run(request.id))


@signals.task_postrun.connect
def _record_without_result(task: Any, task_id: str, retval: Any, state: str | None, **_signal: object) -> None:
    """Record runs that raised `Ignore`, or `Reject` with `requeue`; Celery sends no other signal for them."""
    if isinstance(retval, SucceededRunError):
        success = {"state": states.SUCCESS, "result": _masked_result(retval.result)}
        _record(task, task_id, task.request, success, waits=True)
    elif state == states.IGNORED:
        error = str(retval) if isinstance(retval, RevokedRunError | DuplicateRunError) else f"Ignore: {retval}"
        _record(task, task_id, task.request, {"state": states.REVOKED, "error": error}, waits=True)
    elif state == states.REJECTED and retval.requeue:
        outcome = {"state": states.RETRY, "error": f"Reject: {retval}"}
        _record(task, task_id, task.request, outcome, waits=True, is_requeued=True)


@signals.task_unknown.connect
def _record_unknown(sender: Any, message: Any, name: str, **signal: Any) -> None:
    """Record a run whose task this worker does not have; `sender` is Celery's consumer."""
    url, run = sender.app.conf.get("run_history_url"), run_id(signal["id"])
    if url and run:
        queue = message.delivery_info.get("routing_key")
        error = f"NotRegistered: no task is named {name!r}"
        event = _event(run, {"state": states.FAILURE, "name": name, "queue": queue, "error": error})
        run_history(sender.app).record(event, waits=False)


def _record(
    task: Any, task_id: str, request: Any, outcome: dict[str, Any], *, waits: bool, is_requeued: bool = False
) -> None:
    run = run_id(task_id)
    if not isinstance(task, RecordedTask) or request.is_eager:
        return
    if task.unique_by is not None:
        start_limits(task.app.conf.run_history_url).release(task, task_id)
    if run is None or not task.tracked:
        return
    event = _event(run, {**origin(request), "name": task.name, **outcome})
    run_history(task.app).record(event, is_requeued=is_requeued, waits=waits)


def _event(run: UUID, fields: dict[str, Any]) -> UncheckedRunEvent:
    return UncheckedRunEvent(run, {"at": utc_now(), **fields})


def _is_in_run(task_id: str) -> bool:
    """Whether the run calls this, and not Celery's consumer, which must not wait."""
    current = getattr(current_task, "request", None)
    return current is not None and current.id == task_id


def _error(error: BaseException, info: Any) -> dict[str, str]:
    traceback = str(info.traceback) if info else ""
    return {"error": f"{type(error).__name__}: {error}"[:MAXIMUM_BYTES], "traceback": traceback[-MAXIMUM_BYTES:]}


def _masked_result(result: Any) -> Any:
    stored = to_storable(masked(result))
    size = len(to_json(stored, fallback=repr))
    return f"({size} bytes)" if size > MAXIMUM_BYTES else stored


@cache
def _parameters(run: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(run).parameters)
