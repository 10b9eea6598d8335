import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Deadline:
    """Ends work that takes longer than a time, with one timer for all of it.

    The timer that `asyncio.timeout` makes for each piece is a tenth of the CPU of a small event. All work may take the
    same time here, so what began first is late first.

    Args:
        seconds: None lets work run endlessly.
    """

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._running: dict[_Work, None] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def run(self, call: Callable[[], Awaitable[T]]) -> T:
        """Await a call.

        Raises:
            TimeoutError: It took too long, and was cancelled.
        """
        if self._seconds is None:
            return await call()
        loop = asyncio.get_running_loop()
        work = _Work(asyncio.current_task(), loop.time() + self._seconds)
        self._running[work] = None
        if self._timer is None:
            self._timer = loop.call_at(work.due, self._end_late)
        try:
            return await call()
        except asyncio.CancelledError as error:
            if work.is_late and work.task.uncancel() <= work.cancelling:
                work.is_late = False
                raise TimeoutError from error
            raise
        finally:
            self._running.pop(work, None)
            if work.is_late:  # it ended by itself while it was being cancelled
                work.task.uncancel()

    def _end_late(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = None
        for work in list(self._running):
            if work.due > loop.time():
                self._timer = loop.call_at(work.due, self._end_late)
                return
            del self._running[work]
            work.is_late = True
            work.task.cancel()


class _Work:
    __slots__ = ("cancelling", "due", "is_late", "task")

    def __init__(self, task: Any, due: float) -> None:
        self.task: asyncio.Task[Any] = task
        self.due = due
        self.cancelling = self.task.cancelling()
        self.is_late = False
