import time
from functools import lru_cache

import structlog
from prometheus_client import Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from src.core.route import RouteRegistry

log = structlog.get_logger("access")

# Asked every few seconds by whoever watches the process.
PROBES = {"/livez", "/readyz", "/metrics"}

DURATION = Histogram("http_request_seconds", "Duration of HTTP requests.", ["route", "status"])


class AccessLogMiddleware:
    """One log line and one measurement a request, when it is over.

    The line shows neither query nor headers; the measurement goes by route template, so that the number of series does
    not grow with the traffic.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 0  # stays when the client leaves before an answer

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        finally:
            seconds = time.perf_counter() - started
            _duration(_route(scope), status).observe(seconds)
            milliseconds = round(seconds * 1000, 1)
            actor = scope.get("state", {}).get("actor_id")
            who = {"user_id": str(actor)} if actor else {}
            line = log.debug if scope["path"] in PROBES else log.info
            line("request", method=scope["method"], path=scope["path"], status=status, ms=milliseconds, **who)


def _route(scope: Scope) -> str:
    registry: RouteRegistry = scope["app"].state.registry
    return registry.find_code(scope) or "other"


# Finding a series by its labels costs four times as much as observing it.
@lru_cache(maxsize=10_000)
def _duration(route: str, status: int) -> Histogram:
    series: Histogram = DURATION.labels(route, status)
    return series
