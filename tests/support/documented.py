"""Fails a test whose request or event gets a response that the documents do not describe."""

import re
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import httpx
from fastapi import FastAPI

from src.api.response_headers import COMPONENTS
from src.core.config import settings
from src.main import rest, server
from src.websockets.app import describe
from src.websockets.testing import SocketClient

# Errors of requests that are refused before they reach an operation: unknown path, wrong method, body too large.
REFUSED = "http."


@cache
def operations(app: FastAPI = rest) -> list[tuple[str, re.Pattern[str], dict[str, Any]]]:
    """Method, path and operation, paths with the longest fixed text first."""
    found = [
        (method.upper(), re.compile(re.sub(r"{\w+}", "[^/]+", path)), operation)
        for path, item in sorted(app.openapi()["paths"].items(), key=lambda entry: entry[0].replace("{", "\0"))
        for method, operation in item.items()
    ]
    return found[::-1]


def documented_response(operation: dict[str, Any], status: int | str, app: FastAPI = rest) -> dict[str, Any]:
    """The response that an operation documents for a status; empty if it documents none."""
    response: dict[str, Any] = operation["responses"].get(str(status), {})
    if "$ref" in response:
        response = app.openapi()["components"]["responses"][response["$ref"].rpartition("/")[2]]
    return response


def error_names(operation: dict[str, Any], status: int, app: FastAPI = rest) -> set[str]:
    """The `error` names that an operation documents for a status."""
    content = documented_response(operation, status, app).get("content", {})
    parts = content.get("application/json", {}).get("schema", {}).get("allOf", [])
    return {name for part in parts for name in part.get("properties", {}).get("error", {}).get("enum", ())}


def documented_by(app: FastAPI) -> Callable[[httpx.Response], Awaitable[None]]:
    """A response hook of a client of this application. Unexpected errors (500) are the tests' own."""

    async def require(response: httpx.Response) -> None:
        request = response.request
        for method, path, operation in operations(app):
            if method == request.method and path.fullmatch(request.url.path) and response.status_code != 500:
                await _check(response, operation, app)
                return

    return require


require_documented = documented_by(rest)


async def _check(response: httpx.Response, operation: dict[str, Any], app: FastAPI) -> None:
    name, status = operation["operationId"], response.status_code
    if response.is_success:
        sent = {header for header in COMPONENTS if header in response.headers}
        undocumented = sent - documented_response(operation, status, app).get("headers", {}).keys()
        assert not undocumented, f"{name} sends {undocumented}: add them to `responses` of the route"
    if response.is_error and _is_json(response):
        await response.aread()
        error = response.json().get("error")
        if error is not None and not error.startswith(REFUSED):
            declared = error_names(operation, status, app)
            assert error in declared, f"{name} responded with {status} {error}: declare it with @raises"
    else:
        assert str(status) in operation["responses"], f"{name} responded with {status}, which is not documented"


def _is_json(response: httpx.Response) -> bool:
    return str(response.headers.get("content-type")) == "application/json"


class DocumentedSocketClient(SocketClient):
    """A client of the product's events."""

    async def call(self, event: str, *args: Any) -> Any:
        """Send an event and return its ack; its error must be one that the AsyncAPI document names."""
        ack = await super().call(event, *args)
        error = ack.get("error") if isinstance(ack, dict) and ack.get("event") == event else None
        assert error is None or error in event_errors(event), f"{event} failed with {error}: declare it with @raises"
        return ack


@cache
def event_errors(event: str) -> set[str]:
    """The `error` names that the AsyncAPI document lists for an event."""
    operation = describe(server, settings)["operations"][f"receive.{event}"]
    return set(re.findall(r"`([\w.]+)` \(\d{4}\)", operation["description"]))
