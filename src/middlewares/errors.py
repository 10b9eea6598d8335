"""Renders every error as the JSON envelope: domain, validation, HTTP and unexpected errors."""

from collections.abc import Awaitable

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from prometheus_client import Counter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from src.core.exceptions import AppError, ServiceUnavailableError, TooManyRequestsError
from src.core.http_errors import as_app_error
from src.core.outages import report_outage
from src.core.stores.errors import summary
from src.middlewares.body_limit import check_size
from src.schemas.response import ErrorResponse
from src.utils.deadline import Deadline

log = structlog.get_logger(__name__)

RATE_LIMITED = Counter("rate_limited_requests", "Requests that were refused with 429, by the error.", ["error"])


class UnexpectedErrorMiddleware:
    """Renders errors without a handler: 503 if a store is unavailable, else 500. The reason is only logged.

    It limits the time and the size of requests as well, since each layer costs every request three calls.

    Args:
        app: The application.
        timeout_seconds: A request whose response has not begun after this time, counted from the last part of its body,
            is cancelled, whatever it waits for, and answered with 503; with 408 if it waits for its body.
        maximum_bytes: A larger body is refused with 413: by `Content-Length` at once, otherwise while it is read.
    """

    def __init__(self, app: ASGIApp, *, timeout_seconds: float, maximum_bytes: int) -> None:
        self.app = app
        self._deadline = Deadline(timeout_seconds)
        self._maximum_bytes = maximum_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = is_reading = False
        received = 0

        async def receive_and_limit() -> Message:
            nonlocal is_reading, received
            is_reading = True
            message = await receive()
            is_reading = False
            received += len(message.get("body", b""))
            if received > self._maximum_bytes:
                raise HTTPException(413)
            limit.restart()
            return message

        def send_and_track(message: Message) -> Awaitable[None]:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                limit.lift()
            return send(message)

        try:
            check_size(scope, self._maximum_bytes)
            with self._deadline.limit() as limit:
                await self.app(scope, receive_and_limit, send_and_track)
        except Exception as error:
            is_slow_client = is_reading and isinstance(error, TimeoutError)
            response = _render(scope, _logged(HTTPException(408) if is_slow_client else error))
            if started:
                raise  # a part of the response is sent: only closing the connection tells the client
            await response(scope, receive, send)


def _logged(error: Exception) -> AppError:
    """The error to render this error as; its reason is logged."""
    known = as_app_error(error)
    if known is None:
        log.error("unexpected_error", exc_info=error)
    elif isinstance(known, ServiceUnavailableError):
        report_outage(known.store, summary(error))
    return known or AppError()


async def on_error(request: Request, error: Exception) -> Response:
    """Render an error that is not unexpected."""
    if isinstance(error, ServiceUnavailableError) and error.store:
        report_outage(error.store, summary(error))
    return _render(request.scope, as_app_error(error) or AppError())


def install_error_handlers(app: FastAPI, timeout_seconds: float = 10, maximum_bytes: int = 1024 * 1024) -> None:
    """Render all errors of the application as the envelope, and limit its requests."""
    for type_ in (AppError, HTTPException, RequestValidationError):
        app.add_exception_handler(type_, on_error)
    app.add_middleware(UnexpectedErrorMiddleware, timeout_seconds=timeout_seconds, maximum_bytes=maximum_bytes)


def _render(scope: Scope, error: AppError) -> Response:
    if isinstance(error, TooManyRequestsError):
        RATE_LIMITED.labels(error.error).inc()
    body = ErrorResponse(
        code=error.status,
        message=error.message,
        data=error.data,
        error=error.error,
        request_id=scope.get("request_id", ""),
    )
    return Response(body.model_dump_json(by_alias=True), error.status, error.headers, media_type="application/json")
