"""The access log and the metrics of HTTP requests.

The log has no query strings and no headers, which may be secret. The metrics have route templates instead of paths as
labels, so that the number of time series is bounded; the one with several series per route has no statuses.
"""

from collections.abc import Callable
from functools import lru_cache

import structlog
from prometheus_client import Counter, Histogram
from starlette.types import Scope

from src.core.logging import write_info
from src.core.routing.registry import RouteRegistry

log = structlog.get_logger("access")

# Polled every few seconds by monitoring: logged at DEBUG.
PROBES = {"/livez", "/readyz", "/metrics"}

REQUESTS = Counter("http_requests", "HTTP requests; `status` is 0 if the client left before.", ["route", "status"])
DURATION = Histogram(
    "http_request_seconds",
    "Duration of HTTP requests.",
    ["route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
)


def record(scope: Scope, status: int, seconds: float) -> None:
    """Log and measure a finished request; `status` is 0 if the client left before the response."""
    count, observe = _series(route_of(scope), status)
    count()
    observe(seconds)
    path = scope["path"]
    entry = {"method": scope["method"], "path": path, "status": status, "ms": round(seconds * 1000, 1)}
    if state := scope.get("state"):
        if actor := state.get("actor_id"):
            entry["user_id"] = str(actor)
        if api_key := state.get("api_key_id"):
            entry["api_key_id"] = str(api_key)
        if acted_by := state.get("acted_by"):
            entry["acted_by"] = str(acted_by)
    if path in PROBES:
        log.debug("request", **entry)
    else:
        write_info("access", "request", entry)


def route_of(scope: Scope) -> str:
    """The permission code of a request's route; `other` if there is none."""
    registry: RouteRegistry = scope["app"].state.registry
    return registry.find_code(scope) or "other"


# Looking a series up by its labels takes four times as long as observing it.
@lru_cache(maxsize=10_000)
def _series(route: str, status: int) -> tuple[Callable[[], None], Callable[[float], None]]:
    """What counts a request of this route with this status, and what measures it."""
    return REQUESTS.labels(route, status).inc, DURATION.labels(route).observe
