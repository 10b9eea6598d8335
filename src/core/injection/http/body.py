"""Read the body of a request, as FastAPI does, and check the bounds of JSON."""

import json
from collections.abc import Awaitable, Callable, Mapping
from email.message import Message
from functools import lru_cache
from typing import Any

from fastapi import params
from fastapi.datastructures import DefaultPlaceholder
from fastapi.routing import RouteContext
from pydantic_core import PydanticUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request

from src.utils.bounds import OutOfBoundsError, check_bounds, check_strings

ABSENT: Any = PydanticUndefined
"""The body of a request without one."""

ReadBody = Callable[[Request], Awaitable[Any]]
"""Parse the body.

Raises:
    json.JSONDecodeError: It is declared to be JSON, and is not.
    OutOfBoundsError: The JSON has too many keys, values or levels.
    HTTPException: It cannot be parsed (400), or a middleware refused it.
"""


def compile_body(route: RouteContext) -> ReadBody | None:
    """Choose once how the bodies of a route are read; None when it has no body parameters."""
    if not route.body_field:
        return None
    strict = route.strict_content_type
    strict = strict.value if isinstance(strict, DefaultPlaceholder) else strict
    if isinstance(route.body_field.field_info, params.Form):
        limits = route.original_route.form_limits  # type: ignore[attr-defined]  # an APIRoute has it
        return lambda request: _parse(_read_form(request, limits))
    return lambda request: _parse(_read_json(request, strict))


async def _parse(reading: Awaitable[Any]) -> Any:
    try:
        return await reading
    except (json.JSONDecodeError, OutOfBoundsError, HTTPException):
        raise
    except Exception as error:
        raise HTTPException(400, "There was an error parsing the body") from error


async def _read_form(request: Request, limits: Mapping[str, int]) -> Any:
    inherited = request.scope.get("fastapi", {}).get("form_limits", {})
    form = await request.form(**{**inherited, **limits})
    # Uploaded files stay open for background tasks and exception handlers.
    request.scope["fastapi_middleware_astack"].push_async_callback(form.close)
    return form


async def _read_json(request: Request, strict: bool) -> Any:
    body = await request.body()
    if not body:
        return ABSENT
    content_type = request.headers.get("content-type")
    is_json = _is_json(content_type) if content_type else not strict
    if not is_json:
        return body
    check_strings(body)
    parsed = await request.json()
    check_bounds((parsed,))
    return parsed


@lru_cache(maxsize=100)
def _is_json(content_type: str) -> bool:
    message = Message()
    message["content-type"] = content_type
    subtype = message.get_content_subtype()
    return message.get_content_maintype() == "application" and (subtype == "json" or subtype.endswith("+json"))
