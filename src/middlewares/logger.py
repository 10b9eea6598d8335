"""One log line and one measurement a request, when it is over.

The line shows neither query nor headers; the measurement goes by route template, so that the number of series does not
grow with the traffic.
"""

from functools import lru_cache

import structlog
from prometheus_client import Histogram
from starlette.types import Scope

from src.core.logging import write_info
from src.core.routing.registry import RouteRegistry

log = structlog.get_logger("access")

# Asked every few seconds by whoever watches the process.
PROBES = {"/livez", "/readyz", "/metrics"}

DURATION = Histogram("http_request_seconds", "Duration of HTTP requests.", ["route", "status"])


def record(scope: Scope, status: int, seconds: float) -> None:
    """Log and measure a request that is over; `status` is 0 for one without an answer."""
    _duration(_route(scope), status).observe(seconds)
    entry = {"method": scope["method"], "path": scope["path"], "status": status, "ms": round(seconds * 1000, 1)}
    actor = scope.get("state", {}).get("actor_id")
    if actor:
        entry["user_id"] = str(actor)
    if scope["path"] in PROBES:
        log.debug("request", **entry)
    else:
        write_info("access", "request", entry)


def _route(scope: Scope) -> str:
    registry: RouteRegistry = scope["app"].state.registry
    return registry.find_code(scope) or "other"


# Finding a series by its labels costs four times as much as observing it.
@lru_cache(maxsize=10_000)
def _duration(route: str, status: int) -> Histogram:
    series: Histogram = DURATION.labels(route, status)
    return series
