from datetime import datetime
from typing import ClassVar

from pydantic import Field

from src.schemas.base import BaseSchema


class Traffic(BaseSchema):
    """How many there were, how many failed, and how long they took."""

    count: int
    """How many there were."""
    errors: int
    """Those that failed because of the server."""
    client_errors: int
    """Those that were refused because of the client."""
    p50_ms: float | None = Field(alias="p50Ms")
    """Half of them took at most so many milliseconds; null if there were none."""
    p95_ms: float | None = Field(alias="p95Ms")
    """95 % took at most so many milliseconds."""
    p99_ms: float | None = Field(alias="p99Ms")
    """99 % took at most so many milliseconds."""

    EXAMPLE: ClassVar = {"count": 1200, "errors": 1, "clientErrors": 14, "p50Ms": 3.1, "p95Ms": 9.8, "p99Ms": 24.5}


class RouteTraffic(Traffic):
    """The requests to a route."""

    route: str
    """Permission code of the route; `other` for paths that do not exist."""

    EXAMPLE: ClassVar = {**Traffic.EXAMPLE, "route": "GET:/api/v1/roles"}


class EventTraffic(Traffic):
    """The Socket.IO events of a name."""

    event: str
    """Name of the event."""

    EXAMPLE: ClassVar = {**Traffic.EXAMPLE, "event": "chat.send"}


class Requests(Traffic):
    """Requests of the last hour."""

    routes: list[RouteTraffic]
    """By route, the most frequent first."""

    EXAMPLE: ClassVar = Traffic.EXAMPLE


class Events(Traffic):
    """Socket.IO events from clients, of the last hour."""

    events: list[EventTraffic]
    """By event, the most frequent first."""

    EXAMPLE: ClassVar = Traffic.EXAMPLE


class Minute(BaseSchema):
    """What happened in a minute."""

    at: datetime
    """When the minute began."""
    requests: int
    """Requests."""
    errors: int
    """Requests that failed because of the server."""
    p95_ms: float | None = Field(alias="p95Ms")
    """95 % of the requests took at most so many milliseconds; null if there were none."""
    events: int
    """Socket.IO events from clients."""
    event_errors: int
    """Those of them that failed because of the server."""
    success: int
    """Runs that succeeded."""
    failure: int
    """Runs that failed."""
    revoked: int
    """Runs that were revoked."""

    EXAMPLE: ClassVar = {
        "requests": 20,
        "errors": 0,
        "p95Ms": 9.8,
        "events": 40,
        "eventErrors": 0,
        "success": 14,
        "failure": 0,
        "revoked": 0,
    }
