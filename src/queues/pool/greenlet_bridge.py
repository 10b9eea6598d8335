"""Celery's synchronous tracer on the loop's own thread: it waits by switching back to the loop, not by blocking it."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import ParamSpec, TypeVar

import greenlet

P = ParamSpec("P")
R = TypeVar("R")


class GreenletBridge(greenlet.greenlet):  # type: ignore[misc]  # it ships no types
    """A greenlet that shares the context variables of the asyncio task which starts it.

    Whoever switches to it gets back either what it waits for next or, when it is dead, what `call` returned.
    """

    def __init__(self, call: Callable[[], object]) -> None:
        super().__init__(call)
        self.gr_context = greenlet.getcurrent().gr_context


def in_bridge() -> bool:
    """Whether this code runs in a tracer, and so can wait for the loop."""
    return isinstance(greenlet.getcurrent(), GreenletBridge)


def await_in_bridge(awaitable: Awaitable[R]) -> R:
    """In a tracer, wait for something of the loop's."""
    parent = greenlet.getcurrent().parent
    if parent is None:
        raise RuntimeError("Only a tracer can wait for the loop.")
    result: R = parent.switch(awaitable)
    return result


def off_loop(executor: Executor | None, call: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run what blocks: in a tracer on a thread of `executor` (the loop's own for None), elsewhere here and now."""
    if not in_bridge():
        return call(*args, **kwargs)
    context = contextvars.copy_context()
    future = asyncio.get_running_loop().run_in_executor(executor, lambda: context.run(call, *args, **kwargs))
    return await_in_bridge(future)
