"""Rate limit of one client: a token bucket for events, and one for violations."""

import time
from enum import Enum, auto

from src.websockets.limits import Limits


class Decision(Enum):
    """What to do with an event."""

    ACCEPT = auto()
    REJECT = auto()
    DROP_CLIENT = auto()


class TokenBucket:
    """Lets `size` through at once and `per_second` in the long run."""

    __slots__ = ("_left", "_per_second", "_size", "_updated_at")

    def __init__(self, per_second: float, size: float) -> None:
        self._per_second = per_second
        self._size = self._left = size
        self._updated_at = time.monotonic()

    def take(self) -> bool:
        """Take a token; returns False when none is left."""
        now = time.monotonic()
        self._left = min(self._size, self._left + (now - self._updated_at) * self._per_second)
        self._updated_at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class RateLimiter:
    """Limits the connects and events of one client, and tolerates a number of violations."""

    def __init__(self, limits: Limits) -> None:
        self._bucket = TokenBucket(limits.events_per_second, limits.burst)
        self._violation_bucket = TokenBucket(1, limits.violations)

    def accept_connect(self) -> bool:
        """Whether the client may connect to a namespace; counts as an event."""
        return self._bucket.take()

    def check_event(self) -> Decision:
        """Count an event."""
        if self._bucket.take():
            return Decision.ACCEPT
        return Decision.REJECT if self._violation_bucket.take() else Decision.DROP_CLIENT
