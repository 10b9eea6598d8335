from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, ForeignKey, Index, Text
from sqlmodel import Field

from src.models.base import BaseModel
from src.models.mixins import Versioned


class ApiKey(Versioned, BaseModel, table=True):
    """An API key: its holder calls the API in the name of a user or service account, within these permission codes.

    Attributes:
        start: The first characters of the key.
        key_hash: SHA-256 of the key.
        previous_hash: That of the key before the last rotation, which is accepted until `previous_expires_at`.
        addresses: The networks that it may be used from; empty for any.
        last_used_at: Not written with each request: see `PermissionService`.
    """

    __tablename__ = "api_keys"
    # `GET /api-keys` lists those of all users or of one; a user's are few, and are sorted without an index.
    __table_args__ = (
        Index("ix_api_keys_user_id", "user_id"),
        Index("ix_api_keys_create_time_id", "create_time", "id"),
    )

    user_id: UUID = Field(sa_column_args=[ForeignKey("users.id", ondelete="CASCADE")])
    name: str = Field(max_length=64)
    start: str = Field(max_length=16)
    key_hash: str = Field(max_length=64, unique=True)
    previous_hash: str | None = Field(default=None, max_length=64, unique=True)
    previous_expires_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    codes: list[str] = Field(sa_type=ARRAY(Text))
    addresses: list[str] = Field(default_factory=list, sa_type=ARRAY(Text))
    expires_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    last_used_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))

    def expiry_of(self, key_hash: str) -> datetime | None:
        """When the key with this hash, the current or the previous one, expires; None is never."""
        return self.expires_at if key_hash == self.key_hash else self.previous_expires_at
