"""Background tasks of the server, and the events of one client as a queue with limited concurrency."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

Work = Callable[[], Coroutine[Any, Any, None]]


class BackgroundTasks:
    """Starts tasks, and keeps references to them until they end."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run a coroutine in a task."""
        _ = self.create(work)

    def create(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run a coroutine in a task, and return that."""
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def drain(self, seconds: float) -> None:
        """Wait for all tasks, and cancel those that run longer than `seconds`."""
        if running := list(self._running):
            _, late = await asyncio.wait(running, timeout=seconds)
            for task in late:
                task.cancel()


class EventQueue:
    """Runs the events of one client: `limit` at a time, the others as those end. A waiting event needs no task."""

    def __init__(self, limit: int, tasks: BackgroundTasks) -> None:
        self._limit = limit
        self._tasks = tasks
        self._running: set[asyncio.Task[None]] = set()
        self._waiting: deque[Work] = deque()

    def run(self, work: Work) -> None:
        """Start an event, or queue it."""
        if len(self._running) < self._limit:
            self._start(work)
        else:
            self._waiting.append(work)

    def clear(self) -> None:
        """Forget the events that have not started."""
        self._waiting.clear()

    def cancel(self) -> None:
        """Cancel running events too: a client that is dropped and reconnects would otherwise accumulate them."""
        self.clear()
        for task in self._running:
            task.cancel()

    def _start(self, work: Work) -> None:
        task = self._tasks.create(work())
        self._running.add(task)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if self._waiting:
            self._start(self._waiting.popleft())
