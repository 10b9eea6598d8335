import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from src.core.logging import request_id
from src.utils.uuid7 import uuid7

HEADER = "X-Request-ID"

_HEADER = HEADER.lower().encode()

# What is safe to repeat in logs and headers.
_VALID = re.compile(rb"[A-Za-z0-9._\-]{8,128}")


class RequestIdMiddleware:
    """Names every request: in the logs, in errors and in the answer; a valid name that the client sent is kept."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        name = _offered(scope) or str(uuid7()).encode()
        scope["request_id"] = name.decode()

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((_HEADER, name))
            await send(message)

        token = request_id.set(scope["request_id"])
        try:
            await self.app(scope, receive, send_with_id)
        finally:
            request_id.reset(token)


def _offered(scope: Scope) -> bytes | None:
    for name, value in scope["headers"]:
        if name == _HEADER and _VALID.fullmatch(value):
            return bytes(value)
    return None
