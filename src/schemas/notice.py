from datetime import datetime
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from src.models.notice import NoticeStatus
from src.schemas.base import BaseRequest, SafeStr, UtcDatetime
from src.schemas.response import BaseResponse


class NoticeCreate(BaseRequest):
    """A notice to publish."""

    title: Annotated[SafeStr, Field(min_length=1, max_length=200)]
    """One line."""
    body: Annotated[SafeStr, Field(min_length=1, max_length=10_000)]
    """Plain text."""
    expires_at: UtcDatetime
    """A time in the future; then the notice leaves the list."""

    EXAMPLE: ClassVar = {"title": "Maintenance", "body": "Tonight at ten.", "expiresAt": "2100-01-01T00:00:00Z"}


class NoticeUpdate(BaseRequest):
    """A partial update of a notice."""

    title: Annotated[SafeStr, Field(min_length=1, max_length=200)] | None = None
    """One line."""
    body: Annotated[SafeStr, Field(min_length=1, max_length=10_000)] | None = None
    """Plain text."""
    expires_at: UtcDatetime | None = None
    """A time in the future; an expired notice is published again."""

    EXAMPLE: ClassVar = {"title": "Maintenance", "body": "Tonight at eleven.", "expiresAt": "2100-01-01T00:00:00Z"}


class NoticeRef(BaseRequest):
    """A reference to a notice."""

    id: UUID
    """The notice's id."""


class NoticeResponse(BaseResponse):
    """A notice."""

    title: str
    """One line."""
    body: str
    """Plain text."""
    status: NoticeStatus
    """Whether the notice is in the list."""
    expires_at: datetime
    """When the notice leaves the list."""

    EXAMPLE: ClassVar = {"title": "Maintenance", "body": "Tonight at ten.", "expiresAt": "2100-01-01T00:00:00Z"}
