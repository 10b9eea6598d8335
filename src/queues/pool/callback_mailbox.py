from collections import deque
from collections.abc import Callable
from typing import Any

import structlog

log = structlog.get_logger(__name__)


class CallbackMailbox:
    """Hands calls over to another thread, in order, and wakes it once for many.

    Args:
        wake: Has the other thread call what it is given.
    """

    def __init__(self, wake: Callable[[Callable[[], None]], object]) -> None:
        self._wake = wake
        self._calls: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._awake = False

    def send(self, call: Callable[..., object], *args: Any) -> None:
        """Have the other thread make this call after all earlier ones; what it raises is logged."""
        self._calls.append((call, args))
        if not self._awake:
            self._awake = True
            self._wake(self.deliver)

    def deliver(self) -> None:
        """Make the calls, on the other thread."""
        # First of all: a call that comes too late for this round has to wake the thread again.
        self._awake = False
        while self._calls:
            call, args = self._calls.popleft()
            try:
                call(*args)
            except Exception:  # one task's trouble is not the next one's
                log.exception("callback_failed", callback=repr(call))
