from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from src.schemas.base import BaseSchema, SafeStr
from src.schemas.list_params import CursorQuery, SortBy


class AuditQuery(CursorQuery):
    """Filters of the audit log, newest entry first."""

    sort: Annotated[SafeStr, SortBy("id")] = "-id"
    actor_id: UUID | None = None
    """Only entries of this user."""
    api_key_id: UUID | None = None
    """Only entries of requests with this API key."""
    acted_by: UUID | None = None
    """Only entries of requests by this administrator, acting as somebody else."""
    action: Annotated[SafeStr, Field(max_length=255, examples=["POST:/api/v1/users"])] | None = None
    """Only entries with this permission code."""
    result: Literal["success", "failure"] | None = None
    """Only successful or only failed requests."""
    request_id: Annotated[SafeStr, Field(max_length=128, examples=["019b7700"])] | None = None
    """Only entries of the request with this id."""


class AuditLogResponse(BaseSchema):
    """An audit log entry."""

    id: UUID
    """The entry's id; later entries have greater ids."""
    time: datetime
    """When the request was made."""
    action: str
    """Permission code of the route."""
    actor_id: UUID | None
    """The user who made the request; null if it was unauthenticated."""
    api_key_id: UUID | None = None
    """The API key that the request was sent with; null for a login."""
    acted_by: UUID | None = None
    """The administrator who acted as the user; null if nobody did."""
    result: Literal["success", "failure"]
    """Whether the request succeeded."""
    status: int
    """HTTP status of the response."""
    error: str | None
    """Name of the error; null for a success."""
    target: dict[str, str]
    """Path parameters of the request."""
    details: dict[str, Any]
    """What the route recorded in addition, such as the username of a login."""
    address: str
    """IP address of the client."""
    user_agent: str
    """`User-Agent` header of the request."""
    request_id: str
    """`X-Request-ID` of the response."""
    times: int
    """How often it happened in that minute; above 1 for merged refusals."""

    EXAMPLE: ClassVar = {
        "action": "DELETE:/api/v1/users/{userId}",
        "result": "failure",
        "status": 403,
        "error": "auth.permission_denied",
        "target": {"userId": "019b7700-0000-7000-8000-000000000000"},
        "details": {},
        "address": "192.0.2.1",
        "userAgent": "Mozilla/5.0",
        "requestId": "019b7700-0000-7000-8000-000000000000",
        "times": 1,
    }
