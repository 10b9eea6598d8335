from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, ForeignKey, Text
from sqlmodel import Field

from src.models.base import BaseModel


class FileStatus(StrEnum):
    """Whether the content is there."""

    PENDING = "pending"
    READY = "ready"


class File(BaseModel, table=True):
    """A file; its content is in the storage, under a key that has nothing of its name."""

    __tablename__ = "files"

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
    expires_at: datetime = Field(sa_type=DateTime(timezone=True), index=True)

    @property
    def key(self) -> str:
        """Where the content is in the storage."""
        return f"files/{self.id}"
