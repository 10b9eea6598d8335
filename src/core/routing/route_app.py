"""A route as an ASGI application that does for each request only what differs from the one before."""

from contextlib import AsyncExitStack

from fastapi.datastructures import DefaultPlaceholder
from fastapi.exceptions import ResponseValidationError
from fastapi.routing import RouteContext
from fastapi.utils import is_body_allowed_for_status_code
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from src.core.routing.route_plan import NotPlannableError, RoutePlan


def compile_route(route: RouteContext) -> ASGIApp:
    """The quick way through a route that only reads parameters and answers JSON; FastAPI's own for any other.

    What both do is the same: validation errors, the response model, and the order of it all.
    """
    quick = (
        route.body_field is None
        and route.response_field is not None
        and isinstance(route.response_class, DefaultPlaceholder)
        and route.stream_item_field is None
        and route.max_body_size is None
        and not (route.is_sse_stream or route.is_json_stream)
        and not (route.response_model_include or route.response_model_exclude)
        and not (route.response_model_exclude_unset or route.response_model_exclude_defaults)
        and not route.response_model_exclude_none
        and is_body_allowed_for_status_code(route.status_code)
    )
    if not quick or route.dependant is None:
        return route.app  # type: ignore[no-any-return]  # handed on by RouteContext
    try:
        return _QuickRoute(route, RoutePlan(route.dependant))
    except NotPlannableError:
        return route.app  # type: ignore[no-any-return]  # as above


class _QuickRoute:
    def __init__(self, route: RouteContext, plan: RoutePlan) -> None:
        self._plan = plan
        self._slow: ASGIApp = route.app
        self._field = route.response_field
        self._by_alias: bool = route.response_model_by_alias
        self._status: int = route.status_code or 200
        # The application, and not its dictionary: whoever overrides something may replace that.
        self._provider = route.dependency_overrides_provider

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._provider is not None and self._provider.dependency_overrides:
            await self._slow(scope, receive, send)
            return
        answer: Response | bytes | None = None
        async with AsyncExitStack() as stack:
            answer = await self._answer(Request(scope, receive, send), stack)
        if answer is None:
            raise RuntimeError("A dependency with yield must not keep an error to itself.")
        if isinstance(answer, Response):
            await answer(scope, receive, send)
            return
        headers = [(b"content-length", b"%d" % len(answer)), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": self._status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def _answer(self, request: Request, stack: AsyncExitStack) -> Response | bytes:
        result = await self._plan.run(request, stack)
        if isinstance(result, Response):
            return result
        value, errors = self._field.validate(result, {}, loc=("response",))
        if errors:
            raise ResponseValidationError(errors, body=result)
        body: bytes = self._field.serialize_json(value, by_alias=self._by_alias)
        return body
