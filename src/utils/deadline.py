"""Ends what takes too long, with one timer for all of it."""

import asyncio
from types import TracebackType
from typing import Any


class Deadline:
    """Gives every piece of work the same time: `with deadline.limit(): await work()`.

    The timer that `asyncio.timeout` makes for each piece is a tenth of the CPU of a small request or event. Here what
    began first is late first, so one timer is enough.

    Args:
        seconds: None lets work run endlessly.
    """

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._queues: dict[asyncio.AbstractEventLoop, _Queue] = {}

    def limit(self) -> "Limit":
        """A limit of the running task's work in its block."""
        loop = asyncio.get_running_loop()
        queue = self._queues.get(loop)
        if queue is None:
            queue = self._queues[loop] = _Queue(loop, self._seconds, self._queues)
        return Limit(queue)


class Limit:
    """Cancels its block after the time; the block then ends with `TimeoutError`."""

    __slots__ = ("_cancelling", "_due", "_queue", "_task", "is_late")

    def __init__(self, queue: "_Queue") -> None:
        self._queue = queue
        self._due = queue.due
        self.is_late = False

    def __enter__(self) -> "Limit":
        self._task: asyncio.Task[Any] = asyncio.current_task()  # type: ignore[assignment]  # a task runs this
        self._cancelling = self._task.cancelling()
        self._queue.add(self)
        return self

    def restart(self) -> None:
        """Give the block the whole time again, unless it runs endlessly."""
        if self._due.pop(self, None) is not None:
            self._queue.add(self)

    def lift(self) -> None:
        """Let the block run endlessly."""
        self._due.pop(self, None)

    def cancel(self) -> None:
        """Cancel the block, once."""
        if not self.is_late:
            self.is_late = True
            self._task.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._due.pop(self, None)
        if self.is_late and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error


class _Queue:
    """The limits of one event loop, in the order in which they are due.

    Attributes:
        due: The limits, with their times.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float | None, queues: dict[Any, Any]) -> None:
        self._loop = loop
        self._seconds = seconds
        self._queues = queues
        self._timer: asyncio.TimerHandle | None = None
        self.due: dict[Limit, float] = {}

    def add(self, limit: Limit) -> None:
        """Put a limit that is not in the queue at its end."""
        if self._seconds is None:
            return
        due = self.due[limit] = self._loop.time() + self._seconds
        if self._timer is None:
            self._timer = self._loop.call_at(due, self._cancel_late)

    def _cancel_late(self) -> None:
        while self.due:
            limit, due = next(iter(self.due.items()))
            if due > self._loop.time():
                self._timer = self._loop.call_at(due, self._cancel_late)
                return
            limit.lift()
            limit.cancel()
        self._timer = None
        self._queues.pop(self._loop, None)  # a program may run many loops, one after the other
