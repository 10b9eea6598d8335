from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from pydantic import Field

from src.schemas.base import BaseSchema, SafeStr
from src.schemas.list_params import CursorQuery, SortBy


class AuditQuery(CursorQuery):
    """Filters of the audit log, newest entry first."""

    sort: Annotated[SafeStr, SortBy("id")] = "-id"
    actor_id: UUID | None = None
    action: Annotated[SafeStr, Field(max_length=255)] | None = None
    result: Literal["success", "failure"] | None = None


AuditQueryDep = Annotated[AuditQuery, Query()]


class AuditLogResponse(BaseSchema):
    """An audit log entry."""

    id: UUID
    time: datetime
    action: str = Field(description="Permission code of the route.")
    actor_id: UUID | None
    result: Literal["success", "failure"]
    status: int
    error: str | None
    target: dict[str, str] = Field(description="Path parameters of the request.")
    details: dict[str, Any]
    address: str
    user_agent: str
    request_id: str
