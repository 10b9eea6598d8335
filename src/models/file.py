from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, ForeignKey, Index, Text, text
from sqlmodel import Field

from src.models.base import BaseModel
from src.models.search_index import search_index
from src.utils.date import utc_now

# The storage key of a content is this prefix and the file's id. No other objects may use the prefix.
PREFIX = "files/"


class FileStatus(StrEnum):
    """The state of a file.

    Attributes:
        PENDING: The content is being uploaded or has not been checked yet.
        READY: The content was checked and can be downloaded.
        LOST: The content is missing in the storage.
        DELETED: The file is invisible; the row is deleted after the content.
    """

    PENDING = "pending"
    READY = "ready"
    LOST = "lost"
    DELETED = "deleted"


class File(BaseModel, table=True):
    """A file. Its content is in the storage, under a key that does not depend on the filename."""

    __tablename__ = "files"
    # `GET /files` lists the ready files, of all owners or of one; an owner's are sorted without an index.
    __table_args__ = (
        Index("ix_files_unfinished", "expires_at", postgresql_where=text("status <> 'ready'")),
        Index("ix_files_owner_id_id", "owner_id", "id"),
        Index("ix_files_ready_create_time_id", "create_time", "id", postgresql_where=text("status = 'ready'")),
        Index("ix_files_ready_filename_id", "filename", "id", postgresql_where=text("status = 'ready'")),
        Index("ix_files_ready_size_bytes_id", "size_bytes", "id", postgresql_where=text("status = 'ready'")),
        Index("ix_files_delete_at", "delete_at", postgresql_where=text("delete_at IS NOT NULL")),
        search_index("files", "filename"),
    )

    owner_id: UUID | None = Field(default=None, sa_column_args=[ForeignKey("users.id", ondelete="SET NULL")])
    filename: str = Field(max_length=255)
    content_type: str = Field(max_length=255)
    size_bytes: int = Field(sa_type=BigInteger)
    checksum_sha256: str | None = Field(default=None, max_length=64)
    status: FileStatus = Field(default=FileStatus.PENDING, sa_type=Text)
    upload_id: str = Field(sa_type=Text)
    part_count: int
    # Of every part but the last; unknown of files before it was stored.
    part_bytes: int | None = Field(default=None, sa_type=BigInteger)
    expires_at: datetime = Field(sa_type=DateTime(timezone=True))
    # When an export of an account is deleted; None: an uploaded file, which never is by itself.
    delete_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    # Until then the file is being completed (see `UploadLease`), and must not be changed otherwise.
    leased_until: datetime = Field(default_factory=utc_now, sa_type=DateTime(timezone=True))

    @property
    def key(self) -> str:
        """The storage key of the content."""
        return f"{PREFIX}{self.id}"
