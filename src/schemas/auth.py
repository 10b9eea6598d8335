from datetime import datetime
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from src.schemas.base import BaseRequest, BaseSchema, SafeStr
from src.schemas.session import ActingUser

# Base64 of one RSA block: 512 characters for 3072 bits, 1,368 for 8192.
Ciphertext = Annotated[
    str,
    Field(
        min_length=1,
        max_length=1368,
        description='Base64 of the RSA-OAEP ciphertext of `{"p": password, "c": challenge}`. '
        "In Swagger UI, write the password itself: the page encrypts it.",
        examples=["correct horse battery staple"],
    ),
]
KeyId = Annotated[
    str,
    Field(
        min_length=1,
        max_length=64,
        description="`kid` of the public key that encrypted the password. Swagger UI fills it in.",
        examples=["current"],
    ),
]
# Where other proofs take their place.
OptionalCiphertext = Annotated[
    Ciphertext | None, Field(description="Encrypted as for the login.", examples=["correct horse battery staple"])
]
OptionalKeyId = Annotated[
    KeyId | None, Field(description="`kid` of the key that encrypted the password.", examples=["current"])
]


class PublicKeyResponse(BaseSchema):
    """What a client needs to encrypt a password; the challenge is single-use and expires in `expiresIn` seconds."""

    kid: str
    """Names the key; send it along with what it encrypted."""
    algorithm: Literal["RSA-OAEP-256"] = "RSA-OAEP-256"
    """RSA-OAEP with SHA-256, also for MGF1."""
    public_key: str
    """The key in PEM format, SubjectPublicKeyInfo."""
    challenge: str
    """Encrypt it together with the password. It can be used once."""
    expires_in: int
    """Seconds until the challenge expires."""

    EXAMPLE: ClassVar = {
        "kid": "QSO1d0Wl3hA",
        "publicKey": "-----BEGIN PUBLIC KEY-----\nMIIBojANBgkq…\n-----END PUBLIC KEY-----\n",
        "challenge": "1767268800.3Tq0yB6cXn1oUuK2dMhWfE9v.5d41402abc4b2a76",
        "expiresIn": 120,
    }


class LoginRequest(BaseRequest):
    """A login; `password` is the encrypted UTF-8 JSON `{"p": password, "c": challenge}`."""

    username: Annotated[SafeStr, Field(min_length=1, max_length=64)]
    """Upper and lower case are not distinguished."""
    password: Ciphertext
    kid: KeyId

    EXAMPLE: ClassVar = {"username": "admin", "password": "123456", "kid": "current"}


class TokenResponse(BaseSchema):
    """A token pair; lifetimes in seconds."""

    access_token: str
    """Send it as `Authorization: Bearer`."""
    refresh_token: str
    """Exchange it once for a new pair, from the same `User-Agent`. Empty if it is in the cookie."""
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the scheme's name
    """The scheme of the `Authorization` header."""
    expires_in: int
    """Seconds until the access token expires."""
    refresh_expires_in: int
    """Seconds until the refresh token expires."""

    EXAMPLE: ClassVar = {
        "accessToken": "eyJhbGciOiJIUzI1NiJ9.e30.c2ln",
        "refreshToken": "eyJhbGciOiJIUzI1NiJ9.e30.c2ln",
        "expiresIn": 900,
        "refreshExpiresIn": 604800,
    }


class SwaggerLoginRequest(BaseSchema):
    """The form of OAuth2's password flow, in snake_case; its other fields are ignored."""

    username: str
    """The name to log in with."""
    password: str
    """The password in plain text."""
    client_secret: str = Field("", alias="client_secret")
    """A code of the user's second factor, if they have one."""

    EXAMPLE: ClassVar = {"username": "admin", "password": "123456"}


class SwaggerTokenResponse(BaseSchema):
    """The token response of OAuth2's password flow: snake_case, without the envelope."""

    access_token: str = Field(serialization_alias="access_token")
    """Send it as `Authorization: Bearer`."""
    token_type: str = Field("bearer", serialization_alias="token_type")
    """The scheme of the `Authorization` header."""

    EXAMPLE: ClassVar = {"access_token": "eyJhbGciOiJIUzI1NiJ9.e30.c2ln", "token_type": "bearer"}


class UserInfoResponse(BaseSchema):
    """The current user, their roles and UI permissions."""

    id: UUID
    """The user's id."""
    name: str
    """The name that others see."""
    email: str
    """The email address."""
    username: str
    """The name to log in with."""
    status: bool
    """Whether the user is enabled."""
    is_admin: bool
    """Administrators hold every permission."""
    must_change_password: bool
    """If true, nothing else is permitted until the user has changed their password."""
    must_add_factor: bool
    """If true, nothing else is permitted until the user has added a second factor."""
    roles: list[str]
    """Codes of the user's enabled roles."""
    button_permissions: list[str]
    """What the frontend shows inside its pages."""
    router_permissions: list[str]
    """The pages that the frontend shows."""
    deletion_due_at: datetime | None = None
    """When the account is deleted, as its user has asked; null if they have not."""
    acted_by: ActingUser | None = None
    """The administrator who acts as the user with this token; null if nobody does."""
    create_time: datetime
    """When the user was created."""
    update_time: datetime
    """When the user was last changed."""

    EXAMPLE: ClassVar = {
        "name": "Ada Lovelace",
        "email": "ada@example.com",
        "username": "ada",
        "isAdmin": False,
        "mustChangePassword": False,
        "mustAddFactor": False,
        "roles": ["editor"],
        "buttonPermissions": ["notice.publish"],
        "routerPermissions": ["/notices"],
    }


class AccessTokenRequest(BaseRequest):
    """A new access token, to keep a Socket.IO connection open."""

    token: Annotated[SafeStr, Field(max_length=4096)]
    """An access token of the same session, as `POST /auth/token/refresh` returns it."""

    EXAMPLE: ClassVar = {"token": "eyJhbGciOiJIUzI1NiJ9.e30.c2ln"}
