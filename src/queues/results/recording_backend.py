import traceback as tracebacks
from typing import Any

from celery import states
from pydantic_core import to_json

from src.core.tasks.run_event import RunEvent
from src.queues.results.backend import ResultBackend
from src.queues.results.run_history import MAXIMUM_BYTES, ledger_at, origin, run_id
from src.utils.masking import masked
from src.utils.storable import storable


class RecordingBackend(ResultBackend):
    """The result store, which every outcome passes, whichever process of the worker finds it; it tells the ledger.

    Reads `app.conf.ledger_url`.
    """

    app: Any

    def mark_as_done(self, task_id: str, result: Any, request: Any = None, *args: Any, **kwargs: Any) -> None:
        """Store a success."""
        super().mark_as_done(task_id, result, request, *args, **kwargs)
        self._tell(task_id, request, state=states.SUCCESS, result=_shown(result))

    def mark_as_failure(
        self, task_id: str, exc: Any, traceback: Any = None, request: Any = None, *args: Any, **kwargs: Any
    ) -> None:
        """Store a failure."""
        super().mark_as_failure(task_id, exc, traceback, request, *args, **kwargs)
        self._tell(task_id, request, state=states.FAILURE, **_failure(exc, traceback))

    def mark_as_retry(
        self, task_id: str, exc: Any, traceback: Any = None, request: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        """Store that a run is going to be repeated."""
        stored: Any = super().mark_as_retry(task_id, exc, traceback, request, *args, **kwargs)
        self._tell(task_id, request, state=states.RETRY, **_failure(exc, traceback))
        return stored

    def mark_as_revoked(self, task_id: str, reason: str = "", request: Any = None, *args: Any, **kwargs: Any) -> None:
        """Store that somebody stopped a run."""
        super().mark_as_revoked(task_id, reason, request, *args, **kwargs)
        self._tell(task_id, request, state=states.REVOKED, error=reason or None)

    def _tell(self, task_id: str, request: Any, **outcome: Any) -> None:
        run = run_id(task_id)
        task = self.app.tasks.get(getattr(request, "task", None))
        if run is not None and getattr(task, "tracked", True):
            ledger_at(self.app.conf.ledger_url).tell(RunEvent(id=run, **origin(request), **outcome))


def _failure(error: BaseException, traceback: Any) -> dict[str, str]:
    lines = traceback if isinstance(traceback, str) else "".join(tracebacks.format_tb(traceback))
    return {"error": f"{type(error).__name__}: {error}"[:MAXIMUM_BYTES], "traceback": lines[-MAXIMUM_BYTES:]}


def _shown(result: Any) -> Any:
    shown = storable(masked(result))
    size = len(to_json(shown, fallback=repr))
    return f"({size} bytes)" if size > MAXIMUM_BYTES else shown
