"""How a callable is run: awaited, in a thread, or entered as a generator."""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from typing import Any, TypeVar

from fastapi.concurrency import contextmanager_in_threadpool, run_in_threadpool

Invoke = Callable[[AsyncExitStack, Sequence[Any], Mapping[str, Any]], Awaitable[Any]]
"""Start a callable with its arguments; what must be closed later goes on the stack."""

F = TypeVar("F", bound=Callable[..., Any])

_ON_LOOP = "__runs_on_loop__"


def on_loop(call: F) -> F:
    """Run a synchronous function on the event loop; a thread, the default, costs over ten times a quick function.

    Only for functions that never block.
    """
    setattr(call, _ON_LOOP, True)
    return call


def is_generator(call: Callable[..., Any]) -> bool:
    """Tell whether the callable has a part after `yield` that runs when the handler is done."""
    return _is(inspect.isasyncgenfunction, call) or _is(inspect.isgeneratorfunction, call)


def compile_invoke(call: Callable[..., Any]) -> Invoke:
    """Choose once how a callable is run."""
    if _is(inspect.isasyncgenfunction, call):
        open_async = asynccontextmanager(call)
        return lambda stack, args, kwargs: stack.enter_async_context(open_async(*args, **kwargs))
    if _is(inspect.iscoroutinefunction, call):
        return lambda stack, args, kwargs: call(*args, **kwargs)
    stays_on_loop = getattr(call, _ON_LOOP, False)
    if _is(inspect.isgeneratorfunction, call):
        open_sync = contextmanager(call)
        if stays_on_loop:
            return lambda stack, args, kwargs: _enter(stack, partial(open_sync, *args, **kwargs))
        return lambda stack, args, kwargs: stack.enter_async_context(
            contextmanager_in_threadpool(open_sync(*args, **kwargs))
        )
    if stays_on_loop:
        return lambda stack, args, kwargs: _call(call, args, kwargs)
    return lambda stack, args, kwargs: run_in_threadpool(call, *args, **kwargs)


async def _enter(stack: AsyncExitStack, opened: Callable[[], Any]) -> Any:
    return stack.enter_context(opened())


async def _call(call: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    return call(*args, **kwargs)


def _is(kind: Callable[[Any], bool], call: Callable[..., Any]) -> bool:
    """Look through `partial`, decorators that use `wraps`, and objects with `__call__`."""
    while isinstance(call, partial):
        call = call.func
    call = inspect.unwrap(call)
    if not inspect.isroutine(call) and not inspect.isclass(call):
        call = type(call).__call__
    return kind(call)
