"""Runs Celery's synchronous task tracer on the event loop's thread: to wait, it switches to the loop and back."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import ParamSpec, TypeVar

import greenlet

P = ParamSpec("P")
R = TypeVar("R")


class GreenletBridge(greenlet.greenlet):  # type: ignore[misc]  # greenlet ships no types
    """A greenlet that shares the context variables of the asyncio task that creates it.

    `switch` returns the next awaitable to wait for or, once the greenlet is dead, the return value of `call`.
    """

    def __init__(self, call: Callable[[], object]) -> None:
        super().__init__(call)
        self.gr_context = greenlet.getcurrent().gr_context


def in_bridge() -> bool:
    """Whether the calling code runs in a bridge, so that it can use `await_in_bridge`."""
    return isinstance(greenlet.getcurrent(), GreenletBridge)


def await_in_bridge(awaitable: Awaitable[R]) -> R:
    """Wait for an awaitable from synchronous code without blocking the loop.

    Raises:
        RuntimeError: Called outside a bridge.
    """
    parent = greenlet.getcurrent().parent
    if parent is None:
        raise RuntimeError("await_in_bridge() only works in code that runs in a GreenletBridge.")
    result: R = parent.switch(awaitable)
    return result


def off_loop(executor: Executor | None, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Make a blocking call: in a bridge on `executor` (None: the loop's default), elsewhere directly."""
    if not in_bridge():
        return call(*args, **kwargs)
    context = contextvars.copy_context()
    future = asyncio.get_running_loop().run_in_executor(executor, lambda: context.run(call, *args, **kwargs))
    return await_in_bridge(future)
