"""Turn what a handler returns into a response, as FastAPI does."""

from typing import Any

from fastapi import BackgroundTasks
from fastapi.concurrency import run_in_threadpool
from fastapi.datastructures import DefaultPlaceholder
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import ResponseValidationError
from fastapi.routing import RouteContext
from fastapi.utils import is_body_allowed_for_status_code
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from src.core.injection.http.endpoint import Endpoint


class JSONBytes:
    """The response that most routes send: serialized JSON, with no headers but those that it needs."""

    __slots__ = ("_body", "_status")

    def __init__(self, body: bytes, status: int) -> None:
        self._body = body
        self._status = status

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        headers = [(b"content-length", b"%d" % len(self._body)), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": self._status, "headers": headers})
        await send({"type": "http.response.body", "body": self._body})


class Renderer:
    """Makes the responses of one route.

    Args:
        route: Its response model, its options, class and status code.
        endpoint: Named by the errors.
        in_thread: Whether results are validated in a thread, where the handler runs.
    """

    def __init__(self, route: RouteContext, endpoint: Endpoint, *, in_thread: bool) -> None:
        self._endpoint = endpoint
        self._in_thread = in_thread
        self._field = route.response_field
        self._status: int | None = route.status_code
        response_class = route.response_class
        has_default_class = isinstance(response_class, DefaultPlaceholder)
        self._class: type[Response] = response_class.value if has_default_class else response_class
        self._as_bytes = self._field is not None and has_default_class
        self._options = {
            "include": route.response_model_include,
            "exclude": route.response_model_exclude,
            "by_alias": route.response_model_by_alias,
            "exclude_unset": route.response_model_exclude_unset,
            "exclude_defaults": route.response_model_exclude_defaults,
            "exclude_none": route.response_model_exclude_none,
        }

    async def render(
        self, result: Any, request: Request, declared: Response | None, background: BackgroundTasks | None
    ) -> ASGIApp:
        """Make the response.

        Args:
            result: What the handler returned; a `Response` is sent unchanged.
            request: The request, for the message of an error.
            declared: Holds the headers and status code that were set on a `Response` parameter.
            background: What runs after the response.

        Raises:
            ResponseValidationError: The result does not fit the response model.
        """
        if isinstance(result, Response):
            if result.background is None:
                result.background = background
            return result
        content = await self._serialize(result, request)
        status = (declared and declared.status_code) or self._status
        if self._as_bytes and declared is None and background is None and is_body_allowed_for_status_code(status):
            return JSONBytes(content, status or 200)
        return self._respond(content, status, declared, background)

    def _respond(
        self, content: Any, status: int | None, declared: Response | None, background: BackgroundTasks | None
    ) -> Response:
        # A response class may have a status code of its own, as that of a redirect.
        options = {"background": background} if status is None else {"background": background, "status_code": status}
        if self._as_bytes:
            response = Response(content, media_type="application/json", **options)
        else:
            response = self._class(content, **options)
        if not is_body_allowed_for_status_code(response.status_code):
            response.body = b""
        if declared is not None:
            response.headers.raw.extend(declared.headers.raw)
        return response

    async def _serialize(self, result: Any, request: Request) -> Any:
        if self._field is None:
            return jsonable_encoder(result)
        if self._in_thread:
            value, errors = await run_in_threadpool(self._field.validate, result, {}, loc=("response",))
        else:
            value, errors = self._field.validate(result, {}, loc=("response",))
        if errors:
            raise ResponseValidationError(errors, body=result, endpoint_ctx=self._endpoint.context(request))
        serialize = self._field.serialize_json if self._as_bytes else self._field.serialize
        return serialize(value, **self._options)
