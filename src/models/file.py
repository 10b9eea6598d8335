from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, ForeignKey, Index, Text, text
from sqlmodel import Field

from src.models.base import BaseModel
from src.utils.date import utc_now

# What the keys of all contents begin with; the rest is the file's id. Nothing else may lie there.
PREFIX = "files/"


class FileStatus(StrEnum):
    """How far a file is.

    Attributes:
        PENDING: It is being uploaded, or its content has not been checked.
        READY: Its content is there.
        LOST: Its content was there, and is no longer found in the storage.
        DELETED: Nobody sees it any more; the row stays until the content is gone.
    """

    PENDING = "pending"
    READY = "ready"
    LOST = "lost"
    DELETED = "deleted"


class File(BaseModel, table=True):
    """A file; its content is in the storage, under a key that has nothing of its name."""

    __tablename__ = "files"
    __table_args__ = (Index("ix_files_unfinished", "expires_at", postgresql_where=text("status <> 'ready'")),)

    owner_id: UUID | None = Field(
        default=None, index=True, sa_column_args=[ForeignKey("users.id", ondelete="SET NULL")]
    )
    filename: str = Field(max_length=255)
    content_type: str = Field(max_length=255)
    size_bytes: int = Field(sa_type=BigInteger)
    checksum_sha256: str | None = Field(default=None, max_length=64)
    status: FileStatus = Field(default=FileStatus.PENDING, sa_type=Text)
    upload_id: str = Field(sa_type=Text)
    part_count: int
    expires_at: datetime = Field(sa_type=DateTime(timezone=True))
    # Until then somebody completes the file, and nobody else may touch it.
    claimed_until: datetime = Field(default_factory=utc_now, sa_type=DateTime(timezone=True))

    @property
    def key(self) -> str:
        """Where the content is in the storage."""
        return f"{PREFIX}{self.id}"
