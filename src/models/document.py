from datetime import datetime
from uuid import UUID

from beanie import Document
from pydantic import Field

from src.utils.date import utc_now
from src.utils.uuid7 import uuid7


def utc_now_milliseconds() -> datetime:
    """The current time in milliseconds, the precision of MongoDB."""
    now = utc_now()
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


class BaseDocument(Document):
    """Base class of documents: a time-ordered id, and the times (UTC) of creation and last change."""

    id: UUID = Field(default_factory=uuid7)  # type: ignore[assignment]  # how Beanie documents other key types
    create_time: datetime = Field(default_factory=utc_now_milliseconds)
    update_time: datetime = Field(default_factory=utc_now_milliseconds)
