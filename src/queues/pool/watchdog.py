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
REPORT_AFTER_SECONDS = 1.0
LOST_AFTER_SECONDS = 60.0


class Watchdog(threading.Thread):
    """Detects a blocked event loop: logs where it is blocked, and later calls `on_lost`.

    Args:
        watched: The event loop's thread.
        on_lost: Called once, in the watchdog's thread, with the seconds that the loop has been blocked.
        lost_after: Seconds until `on_lost`.
    """

    def __init__(
        self,
        watched: LoopThread,
        on_lost: Callable[[float], object],
        lost_after: float = LOST_AFTER_SECONDS,
    ) -> None:
        super().__init__(name="loop-watchdog", daemon=True)
        self._watched = watched
        self._on_lost = on_lost
        self._lost_after = lost_after
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Stop watching."""
        self._stopping.set()

    def run(self) -> None:
        """Ping the loop at regular intervals."""
        while not self._stopping.wait(INTERVAL_SECONDS):
            pinged_at = time.monotonic()
            responded = threading.Event()
            if self._ping(responded) and responded.wait(REPORT_AFTER_SECONDS):
                continue
            self._report()
            if not responded.wait(self._lost_after - REPORT_AFTER_SECONDS) and not self._stopping.is_set():
                self._on_lost(time.monotonic() - pinged_at)
                return
            log.warning("loop_recovered", seconds=round(time.monotonic() - pinged_at, 1))

    def _ping(self, responded: threading.Event) -> bool:
        try:
            self._watched.loop.call_soon_threadsafe(responded.set)
        except RuntimeError:  # the loop is closed
            return False
        return True

    def _report(self) -> None:
        """Log which asyncio task blocks the loop, with its stack."""
        frame = sys._current_frames().get(self._watched.ident or 0)
        task = asyncio.current_task(self._watched.loop)
        stack = "".join(traceback.format_stack(frame)) if frame else "its thread has ended"
        log.error("loop_is_blocked", task=task and task.get_name(), stack=stack)
