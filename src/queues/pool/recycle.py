import atexit
import os
import sys
from typing import Any

from celery.concurrency.prefork import _run_ready_callbacks  # type: ignore[attr-defined]  # missing from the stubs
from celery.platforms import EX_FAILURE
from celery.worker import state


def send_acknowledgements(hub: Any) -> None:
    """Run callbacks that tasks left for the hub's next turn, which may not come soon."""
    _run_ready_callbacks(hub)


def recycle(hub: Any) -> None:
    """Shut the worker down without waiting for its tasks, then restart it in the same process.

    Unacknowledged messages return to their queue at once.
    """
    send_acknowledgements(hub)
    atexit.register(os.execv, sys.executable, sys.orig_argv)
    state.should_terminate = EX_FAILURE  # type: ignore[assignment]  # the stubs only allow None
