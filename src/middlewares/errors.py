"""Renders every error as the JSON envelope: domain, validation, HTTP and unexpected errors."""

from collections.abc import Awaitable
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from src.core.exceptions import AppError
from src.core.stores.errors import as_unavailable
from src.schemas.response import ErrorResponse, FieldError

log = structlog.get_logger(__name__)


class UnexpectedErrorMiddleware:
    """Renders errors without a handler: 503 if a store is unavailable, else 500. The reason is only logged."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        def send_and_track(message: Message) -> Awaitable[None]:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            return send(message)

        try:
            await self.app(scope, receive, send_and_track)
        except HTTPException as error:  # of an inner middleware
            await (await on_http_error(Request(scope), error))(scope, receive, send)
        except Exception as error:
            unavailable = as_unavailable(error)
            if unavailable is None:
                log.exception("unexpected_error")
            else:
                log.warning("store_unavailable", store=unavailable.store, reason=f"{type(error).__name__}: {error}")
            if started:
                raise  # a part of the response is sent: only closing the connection tells the client
            await _render(scope, unavailable or AppError())(scope, receive, send)


async def on_app_error(request: Request, error: Exception) -> Response:
    """Render a domain error."""
    assert isinstance(error, AppError)  # noqa: S101 - registered for this class only
    return _render(request.scope, error)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Render an error of the framework: unknown path, wrong method, body too large."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class only
    phrase = HTTPStatus(error.status_code).phrase
    name = "http." + phrase.lower().replace(" ", "_").replace("-", "_")
    return _envelope(request.scope, error.status_code, name, f"{phrase}.", None, dict(error.headers or {}))


async def on_validation_error(request: Request, error: Exception) -> Response:
    """Render a validation error, one entry per field; the input itself is not repeated."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class only
    fields = [
        FieldError(field=_field(item["loc"]), message=_printable(item["msg"]), type=item["type"]).model_dump()
        for item in error.errors()
    ]
    return _envelope(request.scope, 422, "request.validation", "Data Validation Error.", fields, {})


def install_error_handlers(app: FastAPI) -> None:
    """Render all errors of the application as the envelope."""
    app.add_exception_handler(AppError, on_app_error)
    app.add_exception_handler(HTTPException, on_http_error)
    app.add_exception_handler(RequestValidationError, on_validation_error)
    app.add_middleware(UnexpectedErrorMiddleware)


def _render(scope: Scope, error: AppError) -> Response:
    return _envelope(scope, error.status, error.error, error.message, error.data, error.headers)


def _envelope(scope: Scope, status: int, name: str, message: str, data: Any, headers: dict[str, str]) -> Response:
    body = ErrorResponse(code=status, message=message, data=data, error=name, request_id=scope.get("request_id", ""))
    return Response(body.model_dump_json(by_alias=True), status, headers, media_type="application/json")


def _field(location: tuple[int | str, ...]) -> str:
    """The field as the client wrote it, without its part of the request (body, query, …)."""
    names = location[1:] if location[1:] and not isinstance(location[1], int) else location[:1]
    return _printable(".".join(map(str, names)))


def _printable(text: str) -> str:
    return text.encode(errors="replace").decode()
