"""The environ of a handshake, as python-socketio passes it to connect handlers."""

import sys
from typing import Any

from starlette.types import Message, Receive, Scope, Send


class Body:
    """The body of a request."""

    def __init__(self, event: Message, receive: Receive) -> None:
        self._event = event
        self._receive = receive
        self._unread: bytes = event.get("body", b"")

    async def read(self, length: int) -> bytes:
        """Return the next `length` bytes, or what is left."""
        while len(self._unread) < length and self._event.get("more_body"):
            self._event = await self._receive()
            self._unread += self._event.get("body", b"")
        part, self._unread = self._unread[:length], self._unread[length:]
        return part


async def translate_request(scope: Scope, receive: Receive, send: Send) -> dict[str, Any]:
    """Engine.IO's defines a class for each request, which only the garbage collector frees, and knows no client."""
    event = await receive()
    if event["type"] not in ("http.request", "websocket.connect"):
        return {}
    query = _text(scope.get("query_string", b"")) or ""
    address, port = scope.get("client") or ("", 0)  # a Unix socket has none
    environ = {
        "wsgi.input": Body(event, receive),
        "wsgi.errors": sys.stderr,
        "wsgi.version": (1, 0),
        "wsgi.async": True,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "SERVER_SOFTWARE": "asgi",
        "REQUEST_METHOD": scope.get("method", "GET"),
        "PATH_INFO": scope["path"],
        "QUERY_STRING": query,
        "RAW_URI": f"{scope['path']}?{query}" if query else scope["path"],
        "SCRIPT_NAME": "",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": address,
        "REMOTE_PORT": str(port),
        "SERVER_NAME": "asgi",
        "SERVER_PORT": "0",
        "asgi.receive": receive,
        "asgi.send": send,
        "asgi.scope": scope,
    }
    for raw_name, raw_value in scope["headers"]:
        name, value = _text(raw_name), _text(raw_value)
        if name is None or value is None:
            continue
        key = name.upper().replace("-", "_")
        if key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            environ[key] = value
        else:
            key = f"HTTP_{key}"
            environ[key] = f"{environ[key]},{value}" if key in environ else value
    environ["wsgi.url_scheme"] = environ.get("HTTP_X_FORWARDED_PROTO", "http")
    return environ


def _text(raw: bytes) -> str | None:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None
