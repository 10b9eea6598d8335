"""Ends the run of a synchronous task whose outcome was decided while its thread could not be interrupted."""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from greenlet import GreenletExit

if TYPE_CHECKING:
    from src.queues.pool.task_execution import TaskExecution

_thread = threading.local()


def call_in_thread(execution: "TaskExecution", call: Callable[[], Any]) -> Any:
    """Run a synchronous task's tracer on the current thread, for `raise_if_abandoned`."""
    _thread.execution = execution
    try:
        return call()
    finally:
        del _thread.execution


def raise_if_abandoned() -> None:
    """End a run that was terminated or exceeded its hard limit, so that it neither stores a result nor sends messages.

    Raises:
        GreenletExit: The run on this thread is abandoned. No `except Exception` catches it.
    """
    execution = getattr(_thread, "execution", None)
    if execution is not None and execution.is_abandoned:
        raise GreenletExit
