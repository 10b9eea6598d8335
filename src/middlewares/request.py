import time
from collections.abc import Awaitable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from src.core.logging import request_id
from src.middlewares.logger import record
from src.middlewares.request_id import HEADER, name_of
from src.middlewares.security_headers import SecurityHeaders

_HEADER = HEADER.lower().encode()


class RequestMiddleware:
    """What every request has around it: its name, careful headers on its answer, and a log line when it is over.

    One class for the three: each layer of its own would cost every request a call and two more for its messages.
    """

    def __init__(self, app: ASGIApp, *, deployed: bool) -> None:
        self.app = app
        self._headers = SecurityHeaders(deployed=deployed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 0  # stays when the client leaves before an answer
        name = name_of(scope)
        scope["request_id"] = name

        def send_with_headers(message: Message) -> Awaitable[None]:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message["headers"]
                self._headers.add(scope["path"], headers)
                headers.append((_HEADER, name.encode()))
            return send(message)

        token = request_id.set(name)
        try:
            await self.app(scope, receive, send_with_headers)
        finally:
            record(scope, status, time.perf_counter() - started)
            request_id.reset(token)
