from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from src.models.notice import NoticeStatus
from src.schemas.base import BaseRequest, SafeStr, UtcDatetime
from src.schemas.response import BaseResponse


class NoticeCreate(BaseRequest):
    """A notice to publish."""

    title: Annotated[SafeStr, Field(min_length=1, max_length=200)]
    body: Annotated[SafeStr, Field(min_length=1, max_length=10_000)]
    expires_at: UtcDatetime


class NoticeUpdate(BaseRequest):
    """A partial update of a notice."""

    title: Annotated[SafeStr, Field(min_length=1, max_length=200)] | None = None
    body: Annotated[SafeStr, Field(min_length=1, max_length=10_000)] | None = None
    expires_at: UtcDatetime | None = None


class NoticeRef(BaseRequest):
    """A reference to a notice."""

    id: UUID


class NoticeResponse(BaseResponse):
    """A notice."""

    title: str
    body: str
    status: NoticeStatus
    expires_at: datetime
