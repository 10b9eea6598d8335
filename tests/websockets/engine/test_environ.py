"""The environ of a handshake, compared with Engine.IO's own."""

from typing import Any

import pytest
from engineio.async_drivers import asgi
from starlette.types import Message

from src.websockets.engine.overrides.environ import translate_request

pytestmark = pytest.mark.unit

HEADERS = [
    (b"host", b"x"),
    (b"content-type", b"text/plain"),
    (b"content-length", b"11"),
    (b"x-twice", b"a"),
    (b"x-twice", b"b"),
    (b"x-latin", b"\xe4"),
    (b"x-\xe4", b"name"),
    (b"x-forwarded-proto", b"https"),
]
SCOPES: list[dict[str, Any]] = [
    {"type": "http", "method": "POST", "path": "/socket.io/", "query_string": b"EIO=4&sid=x", "headers": HEADERS},
    {"type": "http", "method": "GET", "path": "/socket.io/", "query_string": b"", "headers": []},
    {"type": "websocket", "path": "/socket.io/", "query_string": b"\xff", "headers": HEADERS[:1]},
    {"type": "websocket", "path": "/socket.io/", "headers": []},
]


async def send(message: Message) -> None: ...


def receiver(scope: dict[str, Any]) -> Any:
    messages: list[Message] = [{"type": "websocket.connect"}]
    if scope["type"] == "http":
        parts = [(b"hel", True), (b"lo wor", True), (b"ld", False)]
        messages = [{"type": "http.request", "body": body, "more_body": more} for body, more in parts]

    async def receive() -> Message:
        return messages.pop(0)

    return receive


@pytest.mark.parametrize("scope", SCOPES)
async def test_is_the_same(scope: dict[str, Any]) -> None:
    receive = receiver(scope)
    ours = await translate_request(scope, receive, send)
    theirs = await asgi.translate_request(scope, receiver(scope), send) | {"asgi.receive": receive}
    body, their_body = ours.pop("wsgi.input"), theirs.pop("wsgi.input")
    assert [*ours] == [*theirs]
    for name in ("REMOTE_ADDR", "REMOTE_PORT"):  # Engine.IO's are constants
        del ours[name], theirs[name]
    assert ours == theirs
    if scope["type"] == "http":
        assert await body.read(11) == await their_body.read(11) == b"hello world"


@pytest.mark.parametrize("scope", SCOPES[1:3])
@pytest.mark.parametrize(
    ("client", "address", "port"),
    [(("192.0.2.7", 50123), "192.0.2.7", "50123"), (("2001:db8::1", 0), "2001:db8::1", "0"), (None, "", "0")],
)
async def test_names_the_client(scope: dict[str, Any], client: Any, address: str, port: str) -> None:
    environ = await translate_request({**scope, "client": client}, receiver(scope), send)
    assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == (address, port)


@pytest.mark.parametrize("kind", ["http.disconnect", "websocket.disconnect"])
async def test_is_empty_for_a_client_that_has_left(kind: str) -> None:
    async def receive() -> Message:
        return {"type": kind}

    assert await translate_request(SCOPES[0], receive, send) == {}


async def test_body_is_read_in_parts() -> None:
    body = (await translate_request(SCOPES[0], receiver(SCOPES[0]), send))["wsgi.input"]
    assert [await body.read(size) for size in (4, 2, 100, 100)] == [b"hell", b"o ", b"world", b""]


async def test_defines_no_class_for_a_request() -> None:
    """A class refers to itself: only the garbage collector frees it."""
    first, second = [await translate_request(scope, receiver(scope), send) for scope in SCOPES[:2]]
    assert type(first["wsgi.input"]) is type(second["wsgi.input"])
