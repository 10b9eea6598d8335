from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field

from src.schemas.base import BaseRequest, BaseSchema, SafeStr
from src.schemas.response import BaseResponse

CODE = "kq3tq0yB6cXn1oUuK2dMhWfE9v5d41402abc4b2a76b"

# RFC 7636: 43 characters are SHA-256 in base64url, and a verifier has 43 to 128 of these.
Challenge = Annotated[SafeStr, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]
Verifier = Annotated[SafeStr, Field(pattern=r"^[A-Za-z0-9._~-]{43,128}$")]


class OidcProviderResponse(BaseSchema):
    """A provider that people may log in with."""

    name: str
    """Its name in paths."""
    display_name: str
    """What the login page calls it."""

    EXAMPLE: ClassVar = {"name": "google", "displayName": "Google"}


class OidcStart(BaseSchema):
    """What a frontend may send along with the browser that goes to log in."""

    code_challenge: Challenge | None = Field(None, examples=["E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"])
    """base64url of the SHA-256 of a random text: only whoever knows that gets the tokens for the code."""
    fresh: bool = False
    """Whether the provider has to ask who they are, though they are logged in there: for a recent proof."""


class OidcAnswer(BaseSchema):
    """What a provider sends the browser back with; other parameters are ignored."""

    state: Annotated[SafeStr, Field(max_length=128)] = ""
    """Names the login that was started."""
    code: Annotated[SafeStr, Field(max_length=8192)] = ""
    """What the provider exchanges for an ID token."""
    iss: SafeStr | None = Field(None, max_length=512, examples=["https://accounts.example.com"])
    """Which provider it is."""
    error: Annotated[SafeStr, Field(max_length=128)] = ""
    """Why there is no code."""


class OidcLink(BaseSchema):
    """Where the browser goes to log in with the identity that becomes linked."""

    url: str
    """The provider's page. Go there within ten minutes, in this browser, which has got a cookie for it."""

    EXAMPLE: ClassVar = {"url": "https://accounts.example.com/authorize?client_id=shop"}


class OidcCodeExchange(BaseRequest):
    """The code that the frontend was called with, for tokens."""

    code: Annotated[SafeStr, Field(min_length=1, max_length=128)]
    """What follows `#code=` in the URL of the page; it serves once, for a minute."""
    code_verifier: Verifier | None = None
    """The text whose `codeChallenge` was sent with the start, if one was."""

    EXAMPLE: ClassVar = {"code": CODE}


class LinkedIdentityResponse(BaseResponse):
    """An identity at a provider that its user may log in with."""

    provider: str
    """The provider's name."""
    email: str | None
    """The address that the provider has confirmed, to recognise the identity."""
    last_used_at: datetime | None
    """The last login with it."""

    EXAMPLE: ClassVar = {"provider": "google", "email": "ada@example.com"}


class LogoutTokenForm(BaseSchema):
    """The form of back-channel logout, which providers send."""

    logout_token: Annotated[SafeStr, Field(max_length=16_384, alias="logout_token")]
    """A signed token that names a session or a person."""

    EXAMPLE: ClassVar = {"logout_token": "eyJhbGciOiJSUzI1NiJ9.e30.c2ln"}
