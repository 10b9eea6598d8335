"""Tasks that the ledger knows of."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import zip_longest
from typing import Any, ClassVar, Generic, ParamSpec, TypeVar
from uuid import UUID

from celery import current_task, signals, states
from celery.exceptions import Ignore
from pydantic_core import to_json

from src.core.logging import request_id
from src.core.security.caller import caller_id
from src.core.tasks.run_event import RunEvent
from src.queues.results.run_history import MAXIMUM_BYTES, ledger_at, origin, run_id
from src.queues.task import AsyncTask
from src.utils.date import utc_now
from src.utils.masking import MASK, is_secret, masked
from src.utils.storable import storable

P = ParamSpec("P")
R = TypeVar("R")
Called = TypeVar("Called")


class PoisonedTaskError(Exception):
    """A run was begun again and again by workers that did not survive it."""


class RevokedRunError(Ignore):
    """A run was not to start any more."""


class RecordedTask(AsyncTask[P, R, Called], Generic[P, R, Called]):
    """A task whose runs are in the ledger, cannot start once revoked, and cannot kill worker after worker.

    Reads `app.conf.ledger_url`.

    Attributes:
        tracked: Whether the ledger is told; housekeeping that runs all the time is not worth a row each.
        max_redeliveries: How often a run is begun again after its worker was lost.
    """

    abstract = True
    tracked: ClassVar[bool] = True
    max_redeliveries: ClassVar[int] = 3

    def before_start(self, task_id: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Tell the ledger; called by Celery's tracer.

        Raises:
            RevokedRunError: The run was revoked.
            PoisonedTaskError: It has taken too many workers with it.
        """
        run, request = run_id(task_id), self.request
        requested_by = getattr(request, "requested_by", None)
        # What the run sends, and what it logs, comes from where it comes from.
        caller_id.set(UUID(requested_by) if requested_by else None)
        request_id.set(getattr(request, "request_id", None) or "")
        if run is None or not self.tracked or request.is_eager:
            return
        event = RunEvent(id=run, state=states.STARTED, **origin(request), **self._arguments(args, kwargs))
        redelivered = bool((request.delivery_info or {}).get("redelivered"))
        start = ledger_at(self.app.conf.ledger_url).start(event, is_redelivered=redelivered)
        if start.is_revoked:
            self.backend.mark_as_revoked(task_id, "revoked", request)
            raise RevokedRunError
        if start.redeliveries > self.max_redeliveries:
            raise PoisonedTaskError(f"begun {start.redeliveries} times by workers that did not survive it")

    def _arguments(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        named = zip_longest(args, _parameters(self.run)[: len(args)], fillvalue="")
        shown = {
            "args": storable([MASK if is_secret(name) else masked(value) for value, name in named]),
            "kwargs": storable(masked(kwargs)),
        }
        complete = shown == {"args": list(args), "kwargs": dict(kwargs)}
        if len(to_json(shown, fallback=repr)) > MAXIMUM_BYTES:
            return {"args": [], "kwargs": {}, "is_complete": False}
        return {**shown, "is_complete": complete}


@signals.task_postrun.connect
def _tell_what_has_no_result(task_id: str, task: Any, retval: Any, state: str | None, **_signal: object) -> None:
    """Tell of runs that end by `Ignore`, or go back to their queue by `Reject`: Celery stores nothing of either."""
    run, request = run_id(task_id), task.request
    if run is None or not getattr(task, "tracked", False) or request.is_eager:
        return
    ledger = ledger_at(task.app.conf.ledger_url)
    if state == states.IGNORED and not isinstance(retval, RevokedRunError):
        ledger.tell(RunEvent(id=run, **origin(request), state=states.REVOKED, error=f"Ignore: {retval}"))
    elif state == states.REJECTED and retval.requeue:
        ledger.give_back(RunEvent(id=run, **origin(request), state=states.RETRY, error=f"Reject: {retval}"))


@signals.before_task_publish.connect
def _hand_on(headers: dict[str, Any], **_signal: object) -> None:
    """Write onto a message where it comes from, unless whoever sends it has."""
    caller = caller_id.get()
    headers.setdefault("requested_by", str(caller) if caller else None)
    headers.setdefault("request_id", request_id.get() or None)
    present = getattr(current_task, "request", None)
    if present is not None and present.id == headers["id"]:  # the same run once more
        headers.setdefault("queued_at", getattr(present, "queued_at", None))
        headers.setdefault("schedule_id", getattr(present, "schedule_id", None))
    headers.setdefault("queued_at", utc_now().isoformat())


@cache
def _parameters(run: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(run).parameters)
