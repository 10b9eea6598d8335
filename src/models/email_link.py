from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, ForeignKey, Index, Text, func
from sqlmodel import Field

from src.models.base import BaseModel


class LinkPurpose(StrEnum):
    """What a link in an e-mail is good for; also the path of the page that it leads to."""

    RESET_PASSWORD = "reset-password"  # noqa: S105 - no password
    VERIFY_EMAIL = "verify-email"
    ACCEPT_INVITATION = "accept-invitation"


class EmailLink(BaseModel, table=True):
    """A single-use link in an e-mail; deleted once it is used. The link itself is not stored.

    Attributes:
        email: Where it was sent to.
        user_id: Whose account it is about; None for invitations.
        token_hash: SHA-256 of purpose and token. None if the mail has no link, or is not written yet.
        account_state: SHA-256 of what the link depends on: it ends when the account's password or address changes.
        expires_at: When it stops working, and when it no longer counts against the mails of one address.
        roles: The roles of an invited user.
        invited_by: The user who grants these roles; None once the invitation is withdrawn.
    """

    __tablename__ = "email_links"

    purpose: LinkPurpose = Field(sa_type=Text)
    email: str = Field(max_length=254)
    user_id: UUID | None = Field(default=None, index=True, sa_column_args=[ForeignKey("users.id", ondelete="CASCADE")])
    token_hash: str | None = Field(default=None, max_length=64, unique=True)
    account_state: str | None = Field(default=None, max_length=64)
    expires_at: datetime = Field(sa_type=DateTime(timezone=True), index=True)
    roles: list[str] = Field(default_factory=list, sa_type=ARRAY(Text))
    invited_by: UUID | None = None


# For the number of mails to one address.
Index("ix_email_links_email_lower_purpose", func.lower(EmailLink.email), EmailLink.purpose)
