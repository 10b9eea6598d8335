"""Waits that end as soon as what they wait for is there, and fail long after a slow machine would have it."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, overload

PATIENCE_SECONDS = 60.0
"""For whatever has to happen, sooner or later. A bound that a test claims is a number of its own."""

T = TypeVar("T")


def wait_until(condition: Callable[[], T], seconds: float = PATIENCE_SECONDS) -> T:
    """Ask again and again; returns the first true answer.

    Raises:
        AssertionError: There was none in time. The report shows the output of all processes of the test.
    """
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, _failure(condition, seconds)
        time.sleep(0.02)
    return value


@overload
async def eventually(condition: Callable[[], Awaitable[T | None]], seconds: float = ...) -> T: ...
@overload
async def eventually(condition: Callable[[], T], seconds: float = ...) -> T: ...
async def eventually(condition: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
    """The same for an event loop that goes on meanwhile; the condition may be a coroutine function."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        value = await answer if inspect.isawaitable(answer) else answer
        if value:
            return value
        assert time.monotonic() < deadline, _failure(condition, seconds)
        await asyncio.sleep(0.01)


def patience() -> float:
    """How many times longer than on an idle machine computing takes now: the factor for bounds that tests claim."""
    wall, processor = time.perf_counter(), time.thread_time()
    while (spent := time.thread_time() - processor) < 0.03:
        pass
    return max(1.0, (time.perf_counter() - wall) / spent)


def _failure(condition: Callable[[], object], seconds: float) -> str:
    where = inspect.unwrap(condition).__code__ if inspect.isfunction(condition) else None
    place = f" ({where.co_filename}:{where.co_firstlineno})" if where else ""
    return f"It did not happen within {seconds:g} s{place}."
