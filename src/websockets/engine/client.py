"""One transport: who it is in each namespace, and what it may still ask for."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from src.websockets.connection import Connection
from src.websockets.limits import Limits, TokenBucket

Work = Callable[[], Coroutine[Any, Any, None]]


class Client:
    """Runs a client's events, some at the same time and the others as those end.

    Attributes:
        connections: By namespace.
        bucket: What may still be sent; connects and events share it.
        patience: How often it may still be refused.
        deadline: Closes a transport that no namespace has accepted.
    """

    def __init__(self, limits: Limits, tasks: set[asyncio.Task[None]]) -> None:
        self.connections: dict[str, Connection] = {}
        self.bucket = TokenBucket(limits.events_per_second, limits.burst)
        self.patience = TokenBucket(1, limits.strikes)
        self.deadline: asyncio.TimerHandle | None = None
        self._most = limits.running
        self._running: set[asyncio.Task[None]] = set()
        self._waiting: deque[Work] = deque()
        self._tasks = tasks

    def run(self, work: Work) -> None:
        """Start some work now, or when other work of this client has ended."""
        if len(self._running) < self._most:
            self._start(work)
        else:
            self._waiting.append(work)

    def close(self) -> None:
        """Forget what has not begun, and stop the timers."""
        self._waiting.clear()
        self.commit_invalidation()
        for connection in self.connections.values():
            connection.close()

    def cancel(self) -> None:
        """End what runs: whoever floods, is dropped and comes back would otherwise have more and more of it."""
        self._waiting.clear()
        for task in self._running:
            task.cancel()

    def commit_invalidation(self) -> None:
        """A namespace has accepted the client, or it is gone."""
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None

    def _start(self, work: Work) -> None:
        task = asyncio.create_task(work())
        self._running.add(task)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._tasks.discard(task)
        if self._waiting:
            self._start(self._waiting.popleft())
