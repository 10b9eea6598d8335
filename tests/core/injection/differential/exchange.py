"""Sends one request to two applications that must not differ: FastAPI's engine, and ours behind a `RouteIndex`."""

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts

from src.core.injection.http import engine_of
from src.core.routing.index import RouteIndex


@dataclass
class Call:
    """A request."""

    method: str = "GET"
    url: str = "/"
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    root_path: str = ""


@dataclass
class Outcome:
    """All that a client, a log and the functions of an application can see of a request."""

    status: int | None = None
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    raised: str | None = None
    trace: list[str] = field(default_factory=list)


async def send(app: Any, call: Call, trace: list[str]) -> Outcome:
    """Send a request; `trace` is what the application writes down."""
    outcome = Outcome()
    trace.clear()
    url = urlsplit(call.url)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": call.method,
        "scheme": "http",
        "path": call.root_path + url.path,
        "raw_path": url.path.encode(),
        "query_string": url.query.encode(),
        "root_path": call.root_path,
        "headers": [(name.lower().encode(), value.encode()) for name, value in call.headers],
        "client": ("127.0.0.1", 1),
        "server": ("test", 80),
        "state": {},
    }
    unread = [{"type": "http.request", "body": call.body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return unread.pop() if unread else {"type": "http.disconnect"}

    async def take(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            trace.append("response started")
            outcome.status, outcome.headers = message["status"], list(message["headers"])
        else:
            outcome.body += message.get("body", b"")

    try:
        await app(scope, receive, take)
    except Exception as error:
        outcome.raised = f"{type(error).__name__}: {error}"
    outcome.trace = list(trace)
    return outcome


def indexed(app: FastAPI) -> FastAPI:
    """Put the index in front of the application's routes."""
    app.router.routes.insert(0, RouteIndex(app.routes))
    return app


@dataclass
class Pair:
    """The same application twice, each with a trace of its own.

    Args:
        make: Builds it from scratch; the trace is for its functions to write to.
    """

    make: Callable[[list[str]], FastAPI]

    def __post_init__(self) -> None:
        self.traces: tuple[list[str], list[str]] = ([], [])
        self.stock = self.make(self.traces[0])
        self.ours = indexed(self.make(self.traces[1]))

    async def compare(self, call: Call) -> Outcome:
        """Send the request to both, and return what is the same."""
        theirs = await send(self.stock, call, self.traces[0])
        ours = await send(self.ours, call, self.traces[1])
        assert ours == theirs
        return theirs


def contexts(app: FastAPI, *, every: bool = False) -> list[RouteContext]:
    """FastAPI's routes; every other kind of route too, if wanted."""
    return [route for route in iter_route_contexts(app.routes) if every or isinstance(route.original_route, APIRoute)]


def engines(app: FastAPI) -> dict[str, str]:
    """The engine of each of FastAPI's routes, by path."""
    return {str(route.path): engine_of(route) for route in contexts(app)}


async def compare(make: Callable[[list[str]], FastAPI], *calls: Call) -> list[Outcome]:
    """Build the application on both engines, and send the requests to both."""
    pair = Pair(make)
    return [await pair.compare(call) for call in calls]


def get(url: str, **headers: str) -> Call:
    return Call("GET", url, [(name.replace("_", "-"), value) for name, value in headers.items()])


def post(url: str, body: Any, content_type: str = "application/json") -> Call:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Call("POST", url, [("content-type", content_type)] if content_type else [], sent)


def generator(trace: list[str], name: str, *, swallow: bool = False, fail: Exception | None = None) -> Any:
    """A dependency that writes down when it is opened and closed, and which exception it sees."""

    async def opened() -> AsyncIterator[str]:
        trace.append(f"{name} opened")
        try:
            yield name
        except Exception as error:
            trace.append(f"{name} sees {type(error).__name__}")
            if not swallow:
                raise
        finally:
            trace.append(f"{name} closed")
            if fail is not None:
                raise fail

    return opened
