from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from pydantic import Field

from src.schemas.base import BaseRequest, BaseSchema, Text


class AuditQuery(BaseRequest):
    """Which entries, newest first; `cursor` is the `nextCursor` of the page before."""

    cursor: UUID | None = None
    limit: int = Field(20, ge=1, le=100)
    actor_id: UUID | None = None
    action: Annotated[Text, Field(max_length=255)] | None = None
    result: Literal["success", "failure"] | None = None


AuditQueryDep = Annotated[AuditQuery, Query()]


class AuditLogResponse(BaseSchema):
    """Who did what, when, from where, with which result."""

    id: UUID
    time: datetime
    action: str = Field(description="Code of the route.")
    actor_id: UUID | None
    result: Literal["success", "failure"]
    status: int
    error: str | None
    target: dict[str, str] = Field(description="The parameters in the path.")
    details: dict[str, Any]
    address: str
    user_agent: str
    request_id: str


class AuditPage(BaseSchema):
    """Some entries, and where to go on."""

    records: list[AuditLogResponse]
    next_cursor: UUID | None
