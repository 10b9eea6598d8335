from datetime import datetime
from enum import StrEnum

from sqlalchemy import DateTime, Index, Text
from sqlmodel import Field

from src.models.base import BaseModel
from src.models.mixins import Authored, Versioned


class NoticeStatus(StrEnum):
    """The state of a notice."""

    PUBLISHED = "published"
    EXPIRED = "expired"


class Notice(Versioned, Authored, BaseModel, table=True):
    """A message to all users, until it expires."""

    __tablename__ = "notices"
    __table_args__ = (Index("ix_notices_status_id", "status", "id"),)

    title: str = Field(max_length=200)
    body: str = Field(sa_type=Text)
    status: NoticeStatus = Field(default=NoticeStatus.PUBLISHED, sa_type=Text)
    expires_at: datetime = Field(sa_type=DateTime(timezone=True), index=True)
