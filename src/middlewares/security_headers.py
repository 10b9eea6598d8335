from starlette.types import ASGIApp, Message, Receive, Scope, Send

DEFAULTS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    # An API's answers are no pages: nothing in them may run, load or be framed.
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
DEPLOYED = {"Strict-Transport-Security": "max-age=31536000; includeSubDomains"}
PRIVATE = {"Cache-Control": "no-store"}


class SecurityHeadersMiddleware:
    """Tells browsers to be careful, and everybody not to keep answers of the API; a route's own header wins."""

    def __init__(self, app: ASGIApp, *, deployed: bool) -> None:
        self.app = app
        everywhere = DEFAULTS | DEPLOYED if deployed else DEFAULTS
        self._everywhere = _raw(everywhere)
        self._api = _raw(everywhere | PRIVATE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        wanted = self._api if scope["path"].startswith("/api/") else self._everywhere

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"]
                present = {name for name, _ in headers}
                headers.extend(header for header in wanted if header[0] not in present)
            await send(message)

        await self.app(scope, receive, send_with_headers)


def _raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]
