"""The dependencies of a route as a row of steps, laid out once from what FastAPI found out about them.

FastAPI walks the tree of dependencies for every request, and asks of each again what it is; that walk costs more than
a quick route does. The steps do the same in the same order: what a parameter's type refuses is collected as FastAPI
collects it, and whoever needs what was refused is passed over.
"""

import inspect
from collections.abc import Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import request_params_to_args
from fastapi.exceptions import RequestValidationError
from starlette.requests import Request

Call = Callable[..., Any]

_REFUSED: Any = object()
"""Stands in the row for what could not be made from this request."""


class NotPlannableError(Exception):
    """Some part of the tree is left to FastAPI."""


@dataclass(frozen=True, slots=True)
class Step:
    """One call; its arguments are places in the row, parameters of the request, and the request itself.

    Attributes:
        arguments: Names and places.
        needs: The places of all its dependencies, those whose values nobody takes included.
        parameters: FastAPI's own account of its parameters; None when it has none.
        connections: Names of the arguments that are the request.
        closes: The value comes with a block around it, which ends before the answer leaves.
    """

    call: Call
    arguments: tuple[tuple[str, int], ...]
    needs: tuple[int, ...]
    parameters: Dependant | None
    connections: tuple[str, ...]
    closes: bool

    async def run(self, request: Request, stack: AsyncExitStack, row: list[Any], errors: list[Any]) -> Any:
        """Make the value; what is wrong with the request is added to `errors`."""
        values = {name: row[place] for name, place in self.arguments}
        wrong = _read(self.parameters, request, values) if self.parameters else None
        if wrong:
            errors += wrong
        if errors and (wrong or any(row[place] is _REFUSED for place in self.needs)):
            return _REFUSED
        for name in self.connections:
            values[name] = request
        if self.closes:
            return await stack.enter_async_context(self.call(**values))
        return await self.call(**values)


class RoutePlan:
    """An endpoint with all its dependencies.

    Raises:
        NotPlannableError: Something in the tree is not `async`, reads more than parameters, or outlives the answer.
    """

    def __init__(self, dependant: Dependant) -> None:
        self._steps: list[Step] = []
        self._places: dict[Call, int] = {}
        self._last = self._step(dependant)

    async def run(self, request: Request, stack: AsyncExitStack) -> Any:
        """Call the dependencies, then the endpoint; what is to be closed goes to the stack.

        Raises:
            RequestValidationError: With everything that is wrong with the request's parameters.
        """
        row: list[Any] = []
        errors: list[Any] = []
        for step in self._steps:
            row.append(await step.run(request, stack, row, errors))
        result = await self._last.run(request, stack, row, errors)
        if errors:
            raise RequestValidationError(errors)
        return result

    def _step(self, dependant: Dependant) -> Step:
        places = [(child.name, self._place(child)) for child in dependant.dependencies]
        call = dependant.call
        names = (dependant.request_param_name, dependant.http_connection_param_name)
        if call is None or _is_special(dependant, call):
            raise NotPlannableError
        closes = inspect.isasyncgenfunction(call)
        if not (closes or _is_async(call)):
            raise NotPlannableError
        return Step(
            call=asynccontextmanager(call) if closes else call,
            arguments=tuple((name, place) for name, place in places if name is not None),
            needs=tuple(place for _, place in places),
            parameters=dependant if _has_parameters(dependant) else None,
            connections=tuple(name for name in names if name is not None),
            closes=closes,
        )

    def _place(self, dependant: Dependant) -> int:
        """Where the value of a dependency stands, after laying out what makes it."""
        known = self._places.get(dependant.call) if dependant.call else None
        if known is not None:
            # FastAPI would read its parameters again, and complain again.
            if not dependant.use_cache or _reads(dependant):
                raise NotPlannableError
            return known
        # What is closed has to be so before the answer leaves; FastAPI closes the rest afterwards.
        scope = "function" if inspect.isasyncgenfunction(dependant.call) else None
        if dependant.call is None or not dependant.use_cache or dependant.scope != scope:
            raise NotPlannableError
        self._steps.append(self._step(dependant))
        place = self._places[dependant.call] = len(self._steps) - 1
        return place


def _is_async(call: Call) -> bool:
    return inspect.iscoroutinefunction(call if inspect.isroutine(call) else type(call).__call__)


def _is_special(dependant: Dependant, call: Call) -> bool:
    special = (
        dependant.body_params,
        dependant.own_oauth_scopes,
        dependant.parent_oauth_scopes,
        dependant.concurrency,
        dependant.websocket_param_name,
        dependant.response_param_name,
        dependant.background_tasks_param_name,
        dependant.security_scopes_param_name,
    )
    return hasattr(call, "__wrapped__") or any(special)


def _has_parameters(dependant: Dependant) -> bool:
    return bool(dependant.path_params or dependant.query_params or dependant.header_params or dependant.cookie_params)


def _reads(dependant: Dependant) -> bool:
    return _has_parameters(dependant) or any(_reads(child) for child in dependant.dependencies)


def _read(dependant: Dependant, request: Request, values: dict[str, Any]) -> list[Any]:
    """Add the parameters to `values`, and say what is wrong with them."""
    errors: list[Any] = []
    if dependant.path_params:
        _take(request_params_to_args(dependant.path_params, request.path_params), values, errors)
    if dependant.query_params:
        _take(request_params_to_args(dependant.query_params, request.query_params), values, errors)
    if dependant.header_params:
        _take(request_params_to_args(dependant.header_params, request.headers), values, errors)
    if dependant.cookie_params:
        _take(request_params_to_args(dependant.cookie_params, request.cookies), values, errors)
    return errors


def _take(read: tuple[dict[str, Any], list[Any]], values: dict[str, Any], errors: list[Any]) -> None:
    values.update(read[0])
    errors += read[1]
