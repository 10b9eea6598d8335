from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Twice as many as a list of ids may have; parsing and validating 64 KiB of them would block the event loop.
_MAX_QUERY_PARAMETERS = 2000


class BodyLimitMiddleware:
    """Rejects request bodies that are too large with 413: by `Content-Length` at once, otherwise while they are read.

    Too many query parameters are rejected with 414.

    It must run inside `UnexpectedErrorMiddleware`, which renders the 413.
    """

    def __init__(self, app: ASGIApp, *, maximum_bytes: int) -> None:
        self.app = app
        self._maximum = maximum_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if _content_length(scope) > self._maximum:
            raise HTTPException(413)
        if scope["query_string"].count(b"&") > _MAX_QUERY_PARAMETERS:
            raise HTTPException(414)
        received = 0

        async def receive_and_count() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._maximum:
                raise HTTPException(413)
            return message

        await self.app(scope, receive_and_count, send)


def _content_length(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0
