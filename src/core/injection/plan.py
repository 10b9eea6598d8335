"""A compiled handler: a list of calls, whose arguments are values made before."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from fastapi.security import SecurityScopes
from starlette.requests import HTTPConnection, Request

from src.core.injection.arguments import Arguments
from src.core.injection.dependency import CONNECTION
from src.core.injection.errors import PayloadError, field_errors
from src.core.injection.fields import Errors, Fields
from src.core.injection.invoke import Invoke
from src.core.injection.scopes import NO_SCOPES, Scope, Scopes

Overrides = Mapping[Callable[..., Any], Callable[..., Any]]

_NOTHING: Mapping[Any, Any] = MappingProxyType({})

_UNRESOLVED: Any = object()
"""The value of a dependency whose HTTP parameters are missing or invalid."""


def _no_connection() -> Request:
    raise RuntimeError("The entry point supplies a connection, and this run was given none.")


@dataclass(frozen=True, slots=True)
class Call:
    """One call; its arguments are indexes into the values of a run.

    Attributes:
        invoke: How it is run; None when an earlier call has made its value.
        made: The index of that value.
        keywords: Names of parameters, and indexes.
        needs: Indexes of what has to be there first: its dependencies, including those whose values nothing takes.
        fields: HTTP parameters of its own.
    """

    invoke: Invoke | None
    made: int
    keywords: tuple[tuple[str, int], ...]
    needs: tuple[int, ...]
    fields: Fields | None

    def lacks(self, values: list[Any]) -> bool:
        """Whether something that it needs could not be made."""
        return any(values[index] is _UNRESOLVED for index in self.needs)


@dataclass(frozen=True, slots=True)
class Plan:
    """A handler and everything it needs, compiled by `compile_plan`.

    The values of a run are, in order: the caller's arguments, the specials, security scopes, and the results of the
    calls. The last call is the handler's.

    Attributes:
        handler: What was compiled.
        specials: Which specials it needs, in order.
        security_scopes: The scopes of each `SecurityScopes` parameter in the tree.
        calls: Dependencies in the order in which they run, then the handler.
        callables: Every callable of the tree but the handler, overrides not applied.
        generator_scopes: The scopes of what has to be closed after the handler.
        reads_connection: Whether some call has HTTP parameters.
    """

    handler: Callable[..., Any]
    arguments: Arguments
    specials: tuple[str, ...]
    security_scopes: tuple[tuple[str, ...], ...]
    calls: tuple[Call, ...]
    callables: frozenset[Callable[..., Any]]
    generator_scopes: frozenset[Scope]
    reads_connection: bool
    recompile: Callable[[Overrides], "Plan"]
    _overridden: list[tuple[Overrides, "Plan"]] = field(default_factory=list)

    @property
    def signature(self) -> inspect.Signature:
        """The unmarked parameters: what a caller passes."""
        return self.arguments.signature

    @property
    def has_generators(self) -> bool:
        """Whether something has to be closed after the handler."""
        return bool(self.generator_scopes)

    @property
    def injects(self) -> bool:
        """Whether anything but the caller's arguments is needed."""
        return bool(self.specials or self.security_scopes or self.reads_connection or len(self.calls) > 1)

    def depends_on(self, call: Callable[..., Any]) -> bool:
        """Tell whether a callable is part of the dependency tree."""
        return call in self.callables

    def with_overrides(self, overrides: Overrides) -> "Plan":
        """The plan with some dependencies replaced.

        The last one is kept: tests override rarely and run often.
        """
        if self.callables.isdisjoint(overrides):
            return self
        if not self._overridden or self._overridden[0][0] != overrides:
            self._overridden[:] = [(dict(overrides), self.recompile(overrides))]
        return self._overridden[0][1]

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
            specials: A value for each of the entry point's specials.
            connection: Builds the client's connection; called at most once, and only when a parameter needs it.
            overrides: Replacements for dependencies, as FastAPI's `app.dependency_overrides`.

        Raises:
            PayloadError: The caller's input is invalid.
        """
        plan = self.with_overrides(overrides) if overrides else self
        values = plan.arguments.bind(args, kwargs)
        opened: Request | None = None
        if plan.reads_connection or CONNECTION in plan.specials:
            specials = {**specials, CONNECTION: (opened := connection())}
        values += [specials[name] for name in plan.specials]
        if not plan.generator_scopes:
            return await plan._run(values, opened, NO_SCOPES)
        async with AsyncExitStack() as request:
            if len(plan.generator_scopes) == 1:
                return await plan._run(values, opened, Scopes(request, request, shielded=False))
            async with AsyncExitStack() as function:
                return await plan._run(values, opened, Scopes(function, request, shielded=False))
            # Reached when a generator has swallowed the exception; those of the outer scope have to see an error.
            raise RuntimeError(_SWALLOWED.format(self.handler))
        raise RuntimeError(_SWALLOWED.format(self.handler))

    async def _run(self, values: list[Any], connection: Request | None, scopes: Scopes) -> Any:
        errors: Errors = []
        result = await self.execute(values, errors, scopes, connection)
        if errors:
            raise PayloadError(field_errors({**error, "loc": error["loc"][1:] or error["loc"]} for error in errors))
        return result

    async def execute(
        self,
        values: list[Any],
        errors: Errors,
        scopes: Scopes,
        connection: HTTPConnection | None = None,
        body: Any = None,
    ) -> Any:
        """Call the dependencies in order, then the handler, unless the request's parameters are invalid.

        Args:
            values: The caller's arguments and the specials; the results are appended.
            errors: Gets every error in the HTTP parameters; the handler is called only when there are none.
            scopes: Gets the generators.
            connection: What HTTP parameters are read from.
            body: The parsed body.
        """
        if self.security_scopes:
            values += [SecurityScopes(list(scopes)) for scopes in self.security_scopes]
        result: Any = None
        for call in self.calls:
            arguments = {name: values[index] for name, index in call.keywords} if call.keywords else {}
            fields, wrong = call.fields, False
            if fields is not None:
                found = fields.read(connection, arguments)  # type: ignore[arg-type]  # given to a plan that reads it
                if fields.body:
                    found += await fields.read_body(body, arguments)
                errors += found
                wrong = bool(found)
            if errors and (wrong or call.lacks(values)):
                result = _UNRESOLVED
            elif call.invoke is None:
                result = values[call.made]
            else:
                result = await call.invoke(scopes, arguments)
            values.append(result)
        return result


_SWALLOWED = "A dependency of {!r} swallowed an exception; generators must raise it again."
