"""A compiled handler: a row of values, each made from those before it."""

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from starlette.requests import Request

from src.core.injection.arguments import Arguments
from src.core.injection.connection import Read
from src.core.injection.invoke import Invoke

Call = Callable[..., Any]
Overrides = Mapping[Call, Call]

_NOTHING: Mapping[Any, Any] = MappingProxyType({})
_NOTHING_TO_CLOSE = AsyncExitStack()


def _no_connection() -> Request:
    raise RuntimeError("The door promised a connection and gave none.")


@dataclass(frozen=True, slots=True)
class Step:
    """One call; its arguments are places in the row."""

    invoke: Invoke
    positional: tuple[int, ...]
    keywords: tuple[tuple[str, int], ...]

    def start(self, row: list[Any], stack: AsyncExitStack) -> Awaitable[Any]:
        """Call with values from the row."""
        args = [row[place] for place in self.positional]
        if not self.keywords:
            return self.invoke(stack, args, _NOTHING)
        return self.invoke(stack, args, {name: row[place] for name, place in self.keywords})


@dataclass(frozen=True, slots=True)
class Plan:
    """A handler and everything it needs, compiled by `compile_plan`.

    The row is filled in this order: the caller's arguments, the door's specials, what is read from the connection, the
    dependencies. The handler itself is the last step.

    Attributes:
        handler: What was compiled.
        calls: Every callable of the tree, overrides not applied.
    """

    handler: Call
    arguments: Arguments
    specials: tuple[str, ...]
    reads: tuple[Read, ...]
    steps: tuple[Step, ...]
    last: Step
    calls: frozenset[Call]
    has_generators: bool
    recompile: Callable[[Overrides], "Plan"]
    _overridden: list[tuple[Overrides, "Plan"]] = field(default_factory=list)

    @property
    def signature(self) -> inspect.Signature:
        """The unmarked parameters alone: what a caller passes."""
        return self.arguments.signature

    @property
    def injects(self) -> bool:
        """Whether anything but the caller's arguments is needed."""
        return bool(self.specials or self.reads or self.steps)

    def depends_on(self, call: Call) -> bool:
        """Tell whether a callable is part of the dependency tree."""
        return call in self.calls

    async def run(
        self,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] = _NOTHING,
        *,
        specials: Mapping[str, Any] = _NOTHING,
        connection: Callable[[], Request] = _no_connection,
        overrides: Overrides = _NOTHING,
    ) -> Any:
        """Run the handler once.

        Generators are closed, with the handler's exception thrown into them, before this returns: a commit that fails
        there is this call's error.

        Args:
            args: The caller's positional arguments.
            kwargs: The caller's keyword arguments.
            specials: A value for each of the door's specials.
            connection: Builds the client's connection; called at most once, and only when a parameter wants it.
            overrides: Replacements for dependencies, as FastAPI's `app.dependency_overrides`.

        Raises:
            PayloadError: The caller's input does not fit.
        """
        plan = self._with(overrides) if overrides else self
        row = plan.arguments.bind(args, kwargs)
        for name in plan.specials:
            row.append(specials[name])
        if plan.reads:
            opened = connection()
            row.extend([read(opened) for read in plan.reads])
        if not plan.has_generators:
            return await plan._steps(row, _NOTHING_TO_CLOSE)
        async with AsyncExitStack() as stack:
            return await plan._steps(row, stack)
        raise RuntimeError(f"A dependency of {self.handler!r} swallowed an exception; generators must raise it again.")

    async def _steps(self, row: list[Any], stack: AsyncExitStack) -> Any:
        for step in self.steps:
            row.append(await step.start(row, stack))
        return await self.last.start(row, stack)

    def _with(self, overrides: Overrides) -> "Plan":
        """The plan with some dependencies replaced; the last one is kept, since tests override rarely and run often."""
        if self.calls.isdisjoint(overrides):
            return self
        if not self._overridden or self._overridden[0][0] != overrides:
            self._overridden[:] = [(dict(overrides), self.recompile(overrides))]
        return self._overridden[0][1]
