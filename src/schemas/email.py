from datetime import datetime
from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from src.schemas.auth import Ciphertext, KeyId
from src.schemas.base import BaseRequest, BaseSchema, SafeStr
from src.schemas.user import Email, Name, RoleCodes, Username

TOKEN = "kq3tq0yB6cXn1oUuK2dMhWfE9v5d41402abc4b2a76b"  # noqa: S105 - an example

LinkToken = Annotated[
    SafeStr,
    Field(
        min_length=1, max_length=128, description="What follows `#token=` in the link of the e-mail.", examples=[TOKEN]
    ),
]


class PasswordForgotten(BaseRequest):
    """Asks for a link to set a new password."""

    email: Email
    """The address of the account."""

    EXAMPLE: ClassVar = {"email": "ada@example.com"}


class PasswordReset(BaseRequest):
    """A new password, encrypted as for the login, by a link."""

    token: LinkToken
    password: Ciphertext
    kid: KeyId

    EXAMPLE: ClassVar = {"token": TOKEN, "password": "correct horse battery staple", "kid": "current"}


class EmailVerification(BaseRequest):
    """Confirms an e-mail address, by a link."""

    token: LinkToken

    EXAMPLE: ClassVar = {"token": TOKEN}


class EmailResponse(BaseSchema):
    """The current user's e-mail address."""

    email: str
    """The e-mail address."""
    verified: bool
    """Whether the user has shown that they read the e-mails to it."""
    verified_at: datetime | None
    """When they last did."""

    EXAMPLE: ClassVar = {"email": "ada@example.com", "verified": True}


class InvitationCreate(BaseRequest):
    """Invites a person to create an account."""

    email: Email
    """Where the invitation is sent to."""
    roles: RoleCodes = Field(default_factory=list)
    """Codes of the roles that the account gets."""

    EXAMPLE: ClassVar = {"email": "ada@example.com", "roles": []}


class InvitationResponse(BaseSchema):
    """An invitation."""

    id: UUID
    """The invitation's id."""
    email: str
    """Where it is sent to."""
    roles: list[str]
    """Codes of the roles that the account gets."""
    invited_by: UUID
    """Who has invited."""
    expires_at: datetime
    """About when its link expires: 30 minutes after the e-mail was sent."""

    EXAMPLE: ClassVar = {"email": "ada@example.com", "roles": ["editor"]}


class InvitationAccept(BaseRequest):
    """Creates the account of an invited person, by a link; `password` is encrypted as for the login."""

    token: LinkToken
    username: Username
    """The name to log in with; upper and lower case are not distinguished."""
    name: Name | None = None
    """The name that others see; by default the username."""
    password: Ciphertext
    kid: KeyId

    EXAMPLE: ClassVar = {
        "token": TOKEN,
        "username": "ada",
        "name": "Ada Lovelace",
        "password": "correct horse battery staple",
        "kid": "current",
    }
