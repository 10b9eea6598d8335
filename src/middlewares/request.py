import time
from collections.abc import Awaitable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from src.core.logging import request_id
from src.core.shutdown.draining import is_draining
from src.core.telemetry.spans import is_tracing, name_request
from src.middlewares.access_log import record, route_of
from src.middlewares.request_id import HEADER, get_request_id
from src.middlewares.security_headers import SecurityHeaders

_HEADER = HEADER.lower().encode()


class RequestMiddleware:
    """Request id, security headers and access log.

    One middleware for the three, since each layer costs every request three calls.
    """

    def __init__(self, app: ASGIApp, *, deployed: bool) -> None:
        self.app = app
        self._headers = SecurityHeaders(deployed=deployed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 0  # if the client leaves before the response
        name = get_request_id(scope)
        scope["request_id"] = name

        def send_with_headers(message: Message) -> Awaitable[None]:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if is_tracing():
                    name_request(route_of(scope))
                headers = message["headers"]
                self._headers.add(scope["path"], headers)
                headers.append((_HEADER, name.encode()))
                if is_draining():  # a proxy must not have kept the connection when it closes
                    headers.append((b"connection", b"close"))
                if further := scope.get("response_headers"):  # those of a rate limit
                    headers += [(key.lower().encode(), value.encode()) for key, value in further.items()]
            return send(message)

        token = request_id.set(name)
        try:
            await self.app(scope, receive, send_with_headers)
        finally:
            record(scope, status, time.perf_counter() - started)
            request_id.reset(token)
