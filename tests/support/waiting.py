"""Waiting for a condition, on slow machines too."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

PATIENCE_SECONDS = 60.0
"""Deadline of waits whose duration is not what the test claims."""

T = TypeVar("T")


def wait_until(condition: Callable[[], T], seconds: float = PATIENCE_SECONDS) -> T:
    """Poll until the condition is true, and return its value.

    Raises:
        AssertionError: The time is over. The report shows the output of the test's processes.
    """
    deadline = time.monotonic() + seconds
    while True:
        started = time.thread_time()
        if value := condition():
            return value
        assert time.monotonic() < deadline, _failure(condition, seconds)
        time.sleep(_pause(started))


@overload
async def eventually(condition: Callable[[], Awaitable[T | None]], seconds: float = ...) -> T: ...
@overload
async def eventually(condition: Callable[[], T], seconds: float = ...) -> T: ...
async def eventually(condition: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
    """`wait_until` without blocking the event loop; the condition may be a coroutine function."""
    deadline = time.monotonic() + seconds
    while True:
        started = time.thread_time()
        answer = condition()
        value = await answer if inspect.isawaitable(answer) else answer
        if value:
            return value
        assert time.monotonic() < deadline, _failure(condition, seconds)
        await asyncio.sleep(_pause(started))


def patience() -> float:
    """Factor for time bounds: 1 on an idle machine, 3 where we get a third of the processor time that we want."""
    wall, processor = time.perf_counter(), time.thread_time()
    while (spent := time.thread_time() - processor) < 0.03:
        pass
    return max(1.0, (time.perf_counter() - wall) / spent)


def _pause(started: float) -> float:
    """Seconds until a condition is tried again, after it began at this `thread_time`: polls take a tenth of a core."""
    return min(max(0.02, 9 * (time.thread_time() - started)), 0.5)


def _failure(condition: Callable[[], object], seconds: float) -> str:
    where = inspect.unwrap(condition).__code__ if inspect.isfunction(condition) else None
    place = f" ({where.co_filename}:{where.co_firstlineno})" if where else ""
    return f"It did not happen within {seconds:g} s{place}."
