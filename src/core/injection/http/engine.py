"""A route as an ASGI application: compiled to a plan, or FastAPI's own where a feature needs that."""

import json
from functools import partial
from typing import Any

from fastapi import BackgroundTasks
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute, RouteContext, request_response
from starlette._exception_handler import wrap_app_handling_exceptions
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from src.core.injection.compiler import compile_tree
from src.core.injection.dependency import CONNECTION
from src.core.injection.errors import UnsupportedDependencyError
from src.core.injection.fields import Errors
from src.core.injection.http.body import ABSENT, ReadBody, compile_body
from src.core.injection.http.bounded import bounded, out_of_bounds
from src.core.injection.http.dependant import BACKGROUND_TASKS, RESPONSE, DependantReader
from src.core.injection.http.endpoint import Endpoint
from src.core.injection.http.response import JSONBytes, Renderer
from src.core.injection.invoke import is_generator, runs_in_thread
from src.core.injection.plan import Plan
from src.core.injection.scopes import NO_SCOPES, Scopes
from src.utils.bounds import OutOfBoundsError


def compile_route(route: RouteContext) -> ASGIApp:
    """The application that serves a route: status, headers, body and the order of calls are those of FastAPI's."""
    try:
        return _Route(route)
    except UnsupportedDependencyError:
        return bounded(route)


def engine_of(route: RouteContext) -> str:
    """Which engine runs a route: `compiled`, or `fastapi: ` and the feature that needs it.

    Routes that are not FastAPI's (mounts, WebSockets) are `starlette`.
    """
    if not isinstance(route.original_route, APIRoute):
        return "starlette"
    try:
        _Route(route)
    except UnsupportedDependencyError as feature:
        return f"fastapi: {feature}"
    return "compiled"


class _Route:
    """Runs one route.

    Raises:
        UnsupportedDependencyError: The route uses a feature of FastAPI's engine.
    """

    def __init__(self, route: RouteContext) -> None:
        if feature := _unsupported_feature(route):
            raise UnsupportedDependencyError(feature)
        assert route.dependant is not None  # noqa: S101 - an APIRoute has one
        path = str(route.path_format)
        reader = DependantReader(path, route._embed_body_fields)
        self._plan = compile_tree(reader.read(route.dependant), reader, {})
        self._read_body = compile_body(route)
        self._endpoint = Endpoint(self._plan.handler, path)
        self._renderer = Renderer(route, self._endpoint, in_thread=runs_in_thread(self._plan.handler))
        # The application, and not its dictionary, which tests may replace.
        self._provider = route.dependency_overrides_provider
        self._fastapi: ASGIApp = route.app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the plan and send the response; exceptions go to the application's handlers."""
        plan = self._plan
        if self._provider and self._provider.dependency_overrides:
            try:
                plan = plan.with_overrides(self._provider.dependency_overrides)
            except UnsupportedDependencyError:
                await self._fastapi(scope, receive, send)
                return
        if plan.has_generators:
            # It closes them before and after the response, and shows them each other's exceptions.
            await request_response(partial(self._respond_and_close, plan))(scope, receive, send)
            return
        request = Request(scope, receive, send)
        try:
            response = await self._respond(plan, request, NO_SCOPES)
        except Exception as error:
            response = _raising(error)
        if type(response) is not JSONBytes:
            response = wrap_app_handling_exceptions(response, request)
        await response(scope, receive, send)

    async def _respond_and_close(self, plan: Plan, request: Request) -> Any:
        """Respond with the scopes of FastAPI's request."""
        scopes = Scopes(request.scope["fastapi_function_astack"], request.scope["fastapi_inner_astack"])
        return await self._respond(plan, request, scopes)

    async def _respond(self, plan: Plan, request: Request, scopes: Scopes) -> ASGIApp:
        """Run the plan and make the response."""
        body = ABSENT if self._read_body is None else await self._body(request, self._read_body)
        response: Response | None = None
        background: BackgroundTasks | None = None
        values: list[Any] = []
        for name in plan.specials:
            if name == CONNECTION:
                values.append(request)
            elif name == RESPONSE:
                values.append(response := _empty_response())
            elif name == BACKGROUND_TASKS:
                values.append(background := BackgroundTasks())
        errors: Errors = []
        result = await plan.execute(values, errors, scopes, request, body)
        if errors:
            raise self._invalid(request, errors, None if body is ABSENT else body)
        return await self._renderer.render(result, request, response, background)

    async def _body(self, request: Request, read: ReadBody) -> Any:
        try:
            return await read(request)
        except json.JSONDecodeError as error:
            wrong = {
                "type": "json_invalid",
                "loc": ("body", error.pos),
                "msg": "JSON decode error",
                "input": {},
                "ctx": {"error": error.msg},
            }
            raise self._invalid(request, [wrong], error.doc) from error
        except OutOfBoundsError as error:
            raise self._invalid(request, [out_of_bounds(error)], None) from error

    def _invalid(self, request: Request, errors: Errors, body: Any) -> RequestValidationError:
        return RequestValidationError(errors, body=body, endpoint_ctx=self._endpoint.context(request))


def _unsupported_feature(route: RouteContext) -> str | None:
    """What `Plan` does not do for HTTP, apart from what single dependencies ask for."""
    if route.endpoint is None or is_generator(route.endpoint):
        return "a streamed response"
    if route.max_body_size is not None:
        return "max_body_size"
    route_class = type(route.original_route)
    for method in ("get_route_handler", "matches", "handle"):
        if getattr(route_class, method) is not getattr(APIRoute, method):
            return f"{route_class.__name__}.{method}"
    return None


def _empty_response() -> Response:
    """What dependencies and handler set headers and a status code on, which go into the response."""
    response = Response()
    del response.headers["content-length"]
    response.status_code = None  # type: ignore[assignment]  # FastAPI's sign for: not set
    return response


def _raising(error: Exception) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise error

    return app
