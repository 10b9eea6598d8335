"""The bounds of JSON bodies for routes that FastAPI's own engine runs."""

import json
from typing import Any

from fastapi import params
from fastapi.exceptions import RequestValidationError
from fastapi.routing import RouteContext
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from src.core.injection.http.body import compile_body
from src.utils.bounds import OutOfBoundsError


def out_of_bounds(error: OutOfBoundsError) -> dict[str, Any]:
    """The error of validation that clients are told."""
    return {"type": "out_of_bounds", "loc": ("body",), "msg": str(error), "input": {}}


def bounded(route: RouteContext) -> ASGIApp:
    """FastAPI's application of a route, behind a check of the bounds of a JSON body, which it then parses again."""
    app: ASGIApp = route.app
    read = compile_body(route)
    if read is None or isinstance(route.body_field.field_info, params.Form):  # Starlette limits the fields of a form
        return app

    async def check_and_call(scope: Scope, receive: Receive, send: Send) -> None:
        request, is_read = Request(scope, receive), False

        async def receive_again() -> Message:
            nonlocal is_read
            if is_read:
                return await receive()
            is_read = True
            return {"type": "http.request", "body": await request.body(), "more_body": False}

        try:
            await read(request)
        except OutOfBoundsError as error:
            raise RequestValidationError([out_of_bounds(error)]) from error
        except json.JSONDecodeError:
            pass  # FastAPI finds the same, and says where
        await app(scope, receive_again, send)

    return check_and_call
