from collections import deque
from collections.abc import Callable
from typing import Any

import structlog

log = structlog.get_logger(__name__)


class CallbackMailbox:
    """Thread-safe FIFO of callbacks for another thread, with a single wake-up per batch.

    Args:
        wake: Schedules a function on the other thread; called with `deliver`.
    """

    def __init__(self, wake: Callable[[Callable[[], None]], object]) -> None:
        self._wake = wake
        self._calls: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._is_awake = False

    def send(self, call: Callable[..., object], *args: Any) -> None:
        """Queue a call for the other thread; exceptions that it raises are logged."""
        self._calls.append((call, args))
        if not self._is_awake:
            self._is_awake = True
            self._wake(self.deliver)

    def deliver(self) -> None:
        """Make all queued calls; must run on the receiving thread."""
        # Reset first: a call that arrives after the last `popleft` has to wake the thread again.
        self._is_awake = False
        while self._calls:
            call, args = self._calls.popleft()
            try:
                call(*args)
            except Exception:  # an error of one task must not stop the callbacks of others
                log.exception("callback_failed", callback=repr(call))
