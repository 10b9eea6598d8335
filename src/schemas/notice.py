from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from src.models.notice import NoticeStatus
from src.schemas.base import BaseRequest, Moment, Text
from src.schemas.response import BaseResponse


class NoticeCreate(BaseRequest):
    """A notice to publish."""

    title: Annotated[Text, Field(min_length=1, max_length=200)]
    body: Annotated[Text, Field(min_length=1, max_length=10_000)]
    expires_at: Moment


class NoticeUpdate(BaseRequest):
    """What is given is changed."""

    title: Annotated[Text, Field(min_length=1, max_length=200)] | None = None
    body: Annotated[Text, Field(min_length=1, max_length=10_000)] | None = None
    expires_at: Moment | None = None


class NoticeRef(BaseRequest):
    """Which notice."""

    id: UUID


class NoticeResponse(BaseResponse):
    """A notice as readers see it."""

    title: str
    body: str
    status: NoticeStatus
    expires_at: datetime
