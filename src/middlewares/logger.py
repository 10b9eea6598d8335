"""The access log and the duration metric of HTTP requests.

The log has no query strings and no headers, which may be secret. The metric has route templates instead of paths as
labels, so that the number of time series is bounded.
"""

from functools import lru_cache

import structlog
from prometheus_client import Histogram
from starlette.types import Scope

from src.core.logging import write_info
from src.core.routing.registry import RouteRegistry

log = structlog.get_logger("access")

# Polled every few seconds by monitoring: logged at DEBUG.
PROBES = {"/livez", "/readyz", "/metrics"}

DURATION = Histogram("http_request_seconds", "Duration of HTTP requests.", ["route", "status"])


def record(scope: Scope, status: int, seconds: float) -> None:
    """Log and measure a finished request; `status` is 0 if the client left before the response."""
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


# Looking a series up by its labels takes four times as long as observing it.
@lru_cache(maxsize=10_000)
def _duration(route: str, status: int) -> Histogram:
    series: Histogram = DURATION.labels(route, status)
    return series
