import asyncio
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")


class SingleFlight:
    """Lets concurrent callers with the same key share one execution."""

    def __init__(self) -> None:
        self._running: dict[Hashable, asyncio.Task[Any]] = {}

    async def do(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        """Run `work`, or wait for the execution of this key that is already running, and return its result."""
        task = self._running.get(key)
        if task is None or task.done():  # awaiting its error once more would strip the traceback
            task = self._running[key] = asyncio.ensure_future(_await(work))
            task.add_done_callback(partial(self._forget, key))
        # Shielded: a caller that is cancelled must not cancel the work of the others.
        result: T = await asyncio.shield(task)
        return result

    def _forget(self, key: Hashable, task: asyncio.Task[Any]) -> None:
        if self._running.get(key) is task:
            del self._running[key]


async def _await(work: Callable[[], Awaitable[T]]) -> T:
    return await work()
