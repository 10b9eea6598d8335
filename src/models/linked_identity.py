from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, UniqueConstraint
from sqlmodel import Field

from src.models.base import BaseModel


class LinkedIdentity(BaseModel, table=True):
    """A user's identity at an OpenID provider: whoever logs in there with it, logs in here as that user.

    Attributes:
        provider: The provider's name in the settings, when it was linked or last used.
        issuer: What the provider calls itself; together with `subject` it is unique, and never another person's.
        email: The address that the provider has confirmed, to recognise the identity; nobody is found by it.
        last_used_at: The last login with it.
    """

    __tablename__ = "linked_identities"
    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    user_id: UUID = Field(index=True, sa_column_args=[ForeignKey("users.id", ondelete="CASCADE")])
    provider: str = Field(max_length=32)
    issuer: str = Field(max_length=512)
    subject: str = Field(max_length=255)
    email: str | None = Field(default=None, max_length=254)
    last_used_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
