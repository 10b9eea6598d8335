import atexit
import os
import sys
from typing import Any

from celery.concurrency.prefork import _run_ready_callbacks  # type: ignore[attr-defined]  # the stubs leave it out
from celery.platforms import EX_FAILURE
from celery.worker import state


def send_acknowledgements(hub: Any) -> None:
    """Do what tasks have left to the hub's next turn, which may not come."""
    _run_ready_callbacks(hub)


def recycle(hub: Any) -> None:
    """Shut this worker down without waiting for its tasks, and start it anew in the same process.

    Messages that are not acknowledged go back to the queue at once.
    """
    send_acknowledgements(hub)
    atexit.register(os.execv, sys.executable, sys.orig_argv)
    state.should_terminate = EX_FAILURE  # type: ignore[assignment]  # the stubs know of None alone
