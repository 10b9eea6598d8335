from datetime import datetime
from uuid import UUID

from beanie import Document
from pydantic import Field

from src.utils.date import utc_now
from src.utils.uuid7 import uuid7


def utc_now_milliseconds() -> datetime:
    """The time as MongoDB keeps it."""
    now = utc_now()
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


class BaseDocument(Document):
    """Base of documents: as that of tables, a time-ordered key, and when it was made and last changed (UTC)."""

    id: UUID = Field(default_factory=uuid7)  # type: ignore[assignment]  # Beanie's way to choose another kind of key
    create_time: datetime = Field(default_factory=utc_now_milliseconds)
    update_time: datetime = Field(default_factory=utc_now_milliseconds)
