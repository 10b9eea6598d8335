import asyncio
from collections import deque
from collections.abc import Callable

from src.queues.pool.task_execution import TaskExecution


class ConcurrencyLimiter:
    """Runs up to `limit` tasks at once and queues the rest. Not thread-safe: use it from the event loop's thread.

    Args:
        limit: The maximum number of running tasks.
        on_finished: Called with each task that has finished.
    """

    def __init__(self, limit: int, on_finished: Callable[[TaskExecution], object]) -> None:
        self.running = 0
        self._limit = limit
        self._on_finished = on_finished
        self._queue: deque[TaskExecution] = deque()

    @property
    def waiting(self) -> int:
        """The number of queued tasks."""
        return len(self._queue)

    def add(self, execution: TaskExecution) -> None:
        """Start a task now, or queue it."""
        self._queue.append(execution)
        self._start_queued()

    def resize(self, limit: int) -> None:
        """Change the limit; running tasks above a lower limit finish first."""
        self._limit = limit
        self._start_queued()

    def close(self) -> None:
        """Drop the queued tasks."""
        self._queue.clear()

    def _start_queued(self) -> None:
        while self._queue and self.running < self._limit:
            self.running += 1
            self._queue.popleft().start(asyncio.get_running_loop(), self._finish)

    def _finish(self, execution: TaskExecution) -> None:
        self.running -= 1
        self._on_finished(execution)
        self._start_queued()
