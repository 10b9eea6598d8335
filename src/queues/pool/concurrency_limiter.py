import asyncio
from collections import deque
from collections.abc import Callable

from src.queues.pool.task_execution import TaskExecution


class ConcurrencyLimiter:
    """Runs so many jobs at once, and has the others wait in line; it belongs to the loop's thread.

    Args:
        limit: How many.
        on_left: Told of a job that is over.
    """

    def __init__(self, limit: int, on_left: Callable[[TaskExecution], object]) -> None:
        self.taken = 0
        self._limit = limit
        self._on_left = on_left
        self._line: deque[TaskExecution] = deque()

    @property
    def waiting(self) -> int:
        """How many are in the line."""
        return len(self._line)

    def enter(self, job: TaskExecution) -> None:
        """Run it now, or when its turn comes."""
        self._line.append(job)
        self._fill()

    def resize(self, limit: int) -> None:
        """Have more places, or fewer as soon as enough are free."""
        self._limit = limit
        self._fill()

    def close(self) -> None:
        """Start nothing more of what is in the line."""
        self._line.clear()

    def _fill(self) -> None:
        while self._line and self.taken < self._limit:
            self.taken += 1
            self._line.popleft().start(asyncio.get_running_loop(), self._leave)

    def _leave(self, job: TaskExecution) -> None:
        self.taken -= 1
        self._on_left(job)
        self._fill()
