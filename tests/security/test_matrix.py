"""Every account that holds exactly one code calls every route and every event: only what the code opens is open."""

import json
import re
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.types import Message

from src.api import access
from src.core.config import settings
from src.main import app, rest
from src.main import server as product_server
from src.websockets.testing import SocketClient
from tests.support.api_keys import bearer, make_key
from tests.support.documented import DocumentedSocketClient
from tests.support.people import People, Person
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

REGISTRY = rest.state.registry
WRONG_KIND, INVALID_DATA = 1003, 1007
NOTHING, EVERYTHING = "nothing", "everything"
ACCOUNTS = [NOTHING, EVERYTHING, *(entry.code for entry in REGISTRY.grantable)]
FREE = access.public_routes(settings) | access.session_routes(settings)
EVENTS = [route for route in REGISTRY.routes if route.methods == ["SOCKET"]]
VALUES = {"room": "matrix", "text": "hello", "id": str(uuid4())}
# Those that end the caller's sessions come last, each with a session of its own.
ROUTES = sorted((route for route in REGISTRY.routes if route not in EVENTS), key=lambda route: "logout" in route.path)
# HEAD takes the code of GET, and has no row of its own.
HEADS = {
    route.path
    for route in iter_route_contexts(rest.routes)
    if isinstance(route.original_route, APIRoute) and "HEAD" in (route.methods or ())
}
ROUTES[:0] = [replace(route, methods=["HEAD"]) for route in ROUTES if route.methods == ["GET"] and route.path in HEADS]


def expected(held: str, code: str) -> bool:
    """Whether a route or an event is open to an account."""
    return held in (EVERYTHING, code) or code in FREE


async def person_with(people: People, held: str) -> Person:
    codes = [held] if held not in (NOTHING, EVERYTHING) else []
    return await people.create(*codes, is_admin=held == EVERYTHING)


async def call(method: str, path: str, headers: dict[str, str], address: str) -> tuple[int, dict[str, Any]]:
    """Status and JSON of the response; a fraction of what a request of httpx costs."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": (address, 1),
        "server": ("test", 80),
    }
    status, body = 0, b""

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status, body
        status = message.get("status", status)
        body += message.get("body", b"")

    await app(scope, receive, send)
    return status, json.loads(body) if status in (401, 403) else {}


async def wrong_routes(people: People, person: Person, held: str) -> list[str]:
    wrong = []
    address = uuid4().hex  # refusals per address are limited
    for route in ROUTES:
        path = re.sub(r"\{[^}]+\}", str(uuid4()), route.path)
        caller = await people.login(person.user) if "logout" in path else person
        status, body = await call(route.methods[0], path, caller.headers, address)
        error = body.get("error")
        is_denied = error == "auth.permission_denied"
        needs_refresh_token = route.code.endswith("/token/refresh") and status == 401
        if is_denied == expected(held, route.code) or (status in (401, 429) and not needs_refresh_token):
            wrong.append(f"{held} → {route.methods[0]} {route.code}: {status} {error}")
    return wrong


async def refusal(client: SocketClient, person: Person, event: str) -> str | None:
    """The error of an event with a valid payload, which is validated before the permission is checked."""
    values = {**VALUES, "token": person.tokens.access_token}
    payload: dict[str, Any] = {}
    while True:
        ack = await client.call(event, payload)
        if isinstance(ack, dict) and ack.get("code") == WRONG_KIND:
            ack = await client.call(event)  # the payload is no object, and has a default
        if not isinstance(ack, dict) or ack.get("code") != INVALID_DATA:
            return ack.get("error") if isinstance(ack, dict) else None
        payload |= {item["field"]: values[item["field"]] for item in ack["errors"]}


async def wrong_events(person: Person, held: str) -> list[str]:
    wrong = []
    async with DocumentedSocketClient(app, auth={"token": person.tokens.access_token}) as client:
        for event in EVENTS:
            error = await refusal(client, person, event.name)
            if (error == "auth.permission_denied") == expected(held, event.code):
                wrong.append(f"{held} → {event.code}: {error}")
    return wrong


async def test_no_answer_is_wrong(people: People, client: httpx.AsyncClient) -> None:
    """`client` has the transaction that the application shares."""
    wrong: list[str] = []
    await eventually(lambda: product_server.manager.is_listening)
    for held in ACCOUNTS:
        person = await person_with(people, held)
        wrong += await wrong_events(person, held)
        wrong += await wrong_routes(people, person, held)
    assert wrong == []
    assert len(ACCOUNTS) * (len(ROUTES) + len(EVENTS)) > 3000


@pytest.mark.parametrize("held", ["GET:/api/v1/notices", "PATCH:/api/v1/schedules/{scheduleId}", "files.manage"])
async def test_a_key_of_an_administrator_opens_what_it_holds(
    people: People, client: httpx.AsyncClient, admin: Person, held: str
) -> None:
    headers = bearer((await make_key(client, admin, held))["key"])
    public, wrong, address = access.public_routes(settings), [], uuid4().hex
    for route in ROUTES:
        path = re.sub(r"\{[^}]+\}", str(uuid4()), route.path)
        status, body = await call(route.methods[0], path, headers, address)
        error = body.get("error")
        if route.code in access.session_routes(settings):
            is_right = (status, error) == (401, "auth.login_required")
        elif route.code == held:
            is_right = status not in (401, 403)
        else:
            is_right = route.code in public or (status, error) == (403, "auth.permission_denied")
        if not is_right:
            wrong.append(f"{held} → {route.code}: {status} {error}")
    assert wrong == []
