from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from src.schemas.base import BaseRequest, BaseSchema, SafeStr

# Base64 of one RSA block: 512 characters for 3072 bits, 1,368 for 8192.
Ciphertext = Annotated[str, Field(min_length=1, max_length=1368, description="Base64 of the RSA-OAEP ciphertext.")]
KeyId = Annotated[
    str, Field(min_length=1, max_length=64, description="`kid` of the public key that encrypted the password.")
]


class PublicKeyResponse(BaseSchema):
    """What a client needs to encrypt a password; the challenge is single-use and expires in `expiresIn` seconds."""

    kid: str
    algorithm: Literal["RSA-OAEP-256"] = "RSA-OAEP-256"
    public_key: str = Field(description="PEM, SubjectPublicKeyInfo.")
    challenge: str
    expires_in: int


class LoginRequest(BaseRequest):
    """A login; `password` is the encrypted UTF-8 JSON `{"p": password, "c": challenge}`."""

    username: Annotated[SafeStr, Field(min_length=1, max_length=64)]
    password: Ciphertext
    kid: KeyId


class TokenResponse(BaseSchema):
    """A token pair; lifetimes in seconds."""

    access_token: str
    refresh_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the scheme's name
    expires_in: int
    refresh_expires_in: int


class SwaggerTokenResponse(BaseSchema):
    """The token response of OAuth2's password flow: snake_case, without the envelope."""

    access_token: str = Field(serialization_alias="access_token")
    token_type: str = Field("bearer", serialization_alias="token_type")


class UserInfoResponse(BaseSchema):
    """The current user, their roles and UI permissions."""

    id: UUID
    name: str
    email: str
    username: str
    status: bool
    is_admin: bool
    must_change_password: bool
    roles: list[str] = Field(description="Codes of the user's enabled roles.")
    button_permissions: list[str]
    router_permissions: list[str]
    create_time: datetime
    update_time: datetime


class AccessTokenRequest(BaseRequest):
    """A new access token, to keep a Socket.IO connection open."""

    token: Annotated[SafeStr, Field(max_length=4096)]
