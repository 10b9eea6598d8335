import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class SingleFlight:
    """Lets concurrent callers that want the same thing share one piece of work."""

    def __init__(self) -> None:
        self._running: dict[Hashable, asyncio.Task[Any]] = {}

    async def do(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        """The result of `work`, or of the one that is already under way for `key`."""
        task = self._running.get(key)
        if task is None:
            task = self._running[key] = asyncio.ensure_future(_await(work))
            task.add_done_callback(lambda _: self._running.pop(key, None))
        # A caller that gives up must not take the others' result with it.
        result: T = await asyncio.shield(task)
        return result


async def _await(work: Callable[[], Awaitable[T]]) -> T:
    return await work()
