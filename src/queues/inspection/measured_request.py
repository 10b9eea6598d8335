"""Counts and measures runs in the main process of a worker, whatever pool runs them."""

import time
from datetime import datetime
from typing import Any

from billiard.einfo import ExceptionWithTraceback  # type: ignore[attr-defined]  # missing from the stubs
from celery.exceptions import Ignore, Reject, Retry, Terminated, TimeLimitExceeded, WorkerLostError
from celery.worker import state
from celery.worker.request import Request

from src.queues.inspection.task_metrics import RUN, WAIT, task_histogram, tasks


class MeasuredRequest(Request):
    """Celery's request of a run, which counts its states.

    In the prefork pool the signals of a run are sent in a child, whose metrics nobody could scrape; these methods are
    called in the main process.

    A run that exceeds its hard limit during a cold shutdown is lost in Celery, which records no outcome then, but
    acknowledges the message. Here the message returns to its queue.
    """

    _has_outcome = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # Celery makes a subclass for each task, whose `on_success` does not call the one it overrides.
        on_success = cls.on_success

        def count_and_succeed(self: Any, result: Any, **kwargs: Any) -> Any:
            if not result[0]:  # it did not fail
                self.count_outcome("succeeded")
            return on_success(self, result, **kwargs)

        cls.on_success = count_and_succeed  # type: ignore[assignment,method-assign]  # as above

    def on_accepted(self, pid: Any, time_accepted: float) -> None:
        """Count a start, and measure how long it waited."""
        super().on_accepted(pid, time_accepted)
        tasks(self.task.name, "started").inc()
        due = self._due()
        if due is not None and self.time_start is not None:
            task_histogram(WAIT, self.task.name).observe(max(0.0, self.time_start - due))

    def on_timeout(self, soft: bool, timeout: float) -> None:
        """Count a run that exceeded its hard limit."""
        if not soft and state.should_terminate:
            state.task_ready(self)
            return
        super().on_timeout(soft, timeout)
        if not soft:
            self.count_outcome("failed")

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> Any:
        """Count a run that ended with an exception, which may be Celery's own."""
        error = exc_info.exception
        if isinstance(error, ExceptionWithTraceback):
            error = error.exc
        if isinstance(error, TimeLimitExceeded) and state.should_terminate:
            state.task_ready(self)
            return None
        if outcome := _outcome_of(error):
            self.count_outcome(outcome)
        return super().on_failure(exc_info, send_failed_event, return_ok)

    def count_outcome(self, outcome: str) -> None:
        """Count an outcome once: the prefork pool reports a hard limit twice."""
        if self._has_outcome:
            return
        self._has_outcome = True
        tasks(self.task.name, outcome).inc()
        if self.time_start:
            task_histogram(RUN, self.task.name).observe(time.time() - self.time_start)

    def _due(self) -> float | None:
        """When it could have started, in Unix time; None if its sender did not say when it was queued."""
        try:
            queued_at = datetime.fromisoformat(self.request_dict["queued_at"])
            return max(queued_at, self.eta or queued_at).timestamp()
        except (KeyError, TypeError, ValueError):
            return None


def _outcome_of(error: Any) -> str | None:
    """The outcome that an exception means; None for a revoked run, for which Celery sends a signal."""
    if isinstance(error, Terminated):
        return None
    if isinstance(error, Retry) or (isinstance(error, Reject) and getattr(error, "requeue", False)):
        return "retried"
    if isinstance(error, Ignore):
        return getattr(error, "outcome", "revoked")
    if isinstance(error, WorkerLostError | SystemExit | KeyboardInterrupt):
        return "lost"
    return "failed"
