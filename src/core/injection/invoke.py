"""How a callable is run: awaited, in a thread, or as a generator that is closed later."""

import asyncio
import inspect
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, contextmanager
from enum import Enum, auto
from functools import lru_cache, partial
from typing import Any, TypeVar

from fastapi.concurrency import contextmanager_in_threadpool, run_in_threadpool

from src.core.injection.scopes import Scope, Scopes

Invoke = Callable[[Scopes, dict[str, Any]], Awaitable[Any]]
"""Call with these keyword arguments; a generator is closed with one of the scopes."""

F = TypeVar("F", bound=Callable[..., Any])

_ON_LOOP = "__runs_on_loop__"


def on_loop(call: F) -> F:
    """Run a synchronous function on the event loop; a thread, the default, costs over ten times a quick function.

    Only for functions that never block.
    """
    setattr(call, _ON_LOOP, True)
    return call


class Kind(Enum):
    """What calling a callable gives."""

    VALUE = auto()
    AWAITABLE = auto()
    GENERATOR = auto()
    ASYNC_GENERATOR = auto()


_TESTS: dict[Kind, Callable[[Any], bool]] = {
    Kind.ASYNC_GENERATOR: inspect.isasyncgenfunction,
    Kind.GENERATOR: inspect.isgeneratorfunction,
    # Before 3.13, `inspect` misses coroutine functions that are only marked as such for asyncio.
    Kind.AWAITABLE: inspect.iscoroutinefunction if sys.version_info >= (3, 13) else asyncio.iscoroutinefunction,
}


def kind_of(call: Callable[..., Any]) -> Kind:
    """Classify a callable; look through `partial`, decorators that use `wraps`, and objects with `__call__`."""
    try:
        return _cached_kind(call)
    except TypeError:  # it is not hashable
        return _find_kind(call)


def is_generator(call: Callable[..., Any]) -> bool:
    """Whether the callable yields, and so has a part that runs when its scope ends."""
    return kind_of(call) in (Kind.GENERATOR, Kind.ASYNC_GENERATOR)


def runs_in_thread(call: Callable[..., Any]) -> bool:
    """Whether the callable is synchronous, and not marked with `on_loop`."""
    return kind_of(call) in (Kind.VALUE, Kind.GENERATOR) and not getattr(call, _ON_LOOP, False)


def compile_invoke(call: Callable[..., Any], scope: Scope | None, positional: Sequence[str] = ()) -> Invoke:
    """Choose once how a callable is run.

    Args:
        call: The callable.
        scope: When a generator is closed.
        positional: Names of its positional-only parameters, in order.
    """
    function = _by_name(call, positional) if positional else call
    closed_with = scope or "request"
    kind, in_thread = kind_of(call), runs_in_thread(call)
    if kind is Kind.ASYNC_GENERATOR:
        open_async = asynccontextmanager(function)
        return lambda scopes, values: scopes.enter_shielded(open_async(**values), closed_with)
    if kind is Kind.GENERATOR:
        open_sync = contextmanager(function)
        if in_thread:
            return lambda scopes, values: scopes.enter(contextmanager_in_threadpool(open_sync(**values)), closed_with)
        open_on_loop = asynccontextmanager(_as_async(open_sync))
        return lambda scopes, values: scopes.enter(open_on_loop(**values), closed_with)
    if kind is Kind.AWAITABLE:
        return lambda scopes, values: function(**values)
    if in_thread:
        return lambda scopes, values: run_in_threadpool(function, **values)
    return lambda scopes, values: _call(function, values)


def _as_async(open_sync: Callable[..., Any]) -> Callable[..., Any]:
    async def opened(**values: Any) -> Any:
        with open_sync(**values) as value:
            yield value

    return opened


async def _call(function: Callable[..., Any], values: dict[str, Any]) -> Any:
    return function(**values)


def _by_name(call: Callable[..., Any], positional: Sequence[str]) -> Callable[..., Any]:
    return lambda **values: call(*[values.pop(name) for name in positional], **values)


def _find_kind(call: Callable[..., Any]) -> Kind:
    bare = without_partial(call)
    unwrapped = inspect.unwrap(bare)
    looks: list[Any] = [candidate for candidate in (bare, unwrapped) if inspect.isroutine(candidate)]
    if not inspect.isclass(unwrapped):
        methods = [without_partial(owner.__call__) for owner in (bare, unwrapped)]  # type: ignore[operator]  # an object
        looks += [*methods, *map(inspect.unwrap, methods)]
    # In FastAPI's order: a wrapper that is a coroutine function may wrap a generator.
    for kind, matches in _TESTS.items():
        if any(map(matches, looks)):
            return kind
    return Kind.VALUE


_cached_kind = lru_cache(maxsize=4096)(_find_kind)


def without_partial(call: Callable[..., Any]) -> Callable[..., Any]:
    """The callable that a `partial` calls."""
    while isinstance(call, partial):
        call = call.func
    return call
