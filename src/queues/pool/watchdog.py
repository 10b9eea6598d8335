import asyncio
import sys
import threading
import time
import traceback
from collections.abc import Callable

import structlog

from src.queues.pool.event_loop import LoopThread

log = structlog.get_logger(__name__)

INTERVAL_SECONDS = 1.0
NAMED_AFTER_SECONDS = 1.0
LOST_AFTER_SECONDS = 60.0


class Watchdog(threading.Thread):
    """Notices that the loop stands still: says in the log where, and in the end that it is lost.

    Args:
        thread: The loop's.
        on_lost: Told how many seconds it has been standing still, once, in this thread.
        lost_after: Seconds until `on_lost`.
    """

    def __init__(
        self,
        thread: LoopThread,
        on_lost: Callable[[float], object],
        lost_after: float = LOST_AFTER_SECONDS,
    ) -> None:
        super().__init__(name="loop-watchdog", daemon=True)
        self._watched = thread
        self._on_lost = on_lost
        self._lost_after = lost_after
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Watch no longer."""
        self._stopping.set()

    def run(self) -> None:
        """Ask the loop for an answer, again and again."""
        while not self._stopping.wait(INTERVAL_SECONDS):
            asked = time.monotonic()
            answered = threading.Event()
            if self._ask(answered) and answered.wait(NAMED_AFTER_SECONDS):
                continue
            self._report()
            if not answered.wait(self._lost_after - NAMED_AFTER_SECONDS) and not self._stopping.is_set():
                self._on_lost(time.monotonic() - asked)
                return
            log.warning("loop_goes_on", seconds=round(time.monotonic() - asked, 1))

    def _ask(self, answered: threading.Event) -> bool:
        try:
            self._watched.loop.call_soon_threadsafe(answered.set)
        except RuntimeError:  # the loop is closed
            return False
        return True

    def _report(self) -> None:
        """Say which asyncio task holds the loop, and where."""
        frame = sys._current_frames().get(self._watched.ident or 0)
        task = asyncio.current_task(self._watched.loop)
        stack = "".join(traceback.format_stack(frame)) if frame else "its thread has ended"
        log.error("loop_is_blocked", task=task and task.get_name(), stack=stack)
