from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator

from src.models.user_factor import FactorKind
from src.schemas.auth import OptionalCiphertext, OptionalKeyId
from src.schemas.base import BaseRequest, BaseSchema, SafeStr
from src.schemas.factor_challenge import TICKET, PasskeyOptions
from src.schemas.response import BaseResponse

RECOVERY_CODE = "1f8a0-9c4d7-e26b5-3f08c"

Ticket = Annotated[SafeStr, Field(min_length=1, max_length=128)]
Code = Annotated[
    Annotated[SafeStr, Field(min_length=1, max_length=64)] | None,
    Field(description="The six digits of an authenticator app, or a recovery code.", examples=["123456"]),
]
CREDENTIAL = {"id": "kq3tq0yB", "rawId": "kq3tq0yB", "type": "public-key", "response": {"clientDataJSON": "e30"}}
Credential = Annotated[
    dict[str, Any] | None,
    Field(description="What the browser's passkey returned: `PublicKeyCredential.toJSON()`.", examples=[CREDENTIAL]),
]


class FactorCreate(BaseRequest):
    """A new second factor."""

    name: Annotated[SafeStr, Field(min_length=1, max_length=64)] | None = None
    """By what its owner recognises it."""

    EXAMPLE: ClassVar = {"name": "Phone"}


class FactorResponse(BaseResponse):
    """A second factor."""

    kind: FactorKind
    """An authenticator app (`totp`) or a passkey."""
    name: str
    """By what its owner recognises it."""
    last_used_at: datetime | None
    """When it was last used; null for not since it was added."""

    EXAMPLE: ClassVar = {"name": "Phone"}


class TotpEnrolment(BaseSchema):
    """An authenticator app that is being added: confirm it with its first code."""

    id: UUID
    """The id that the factor will have."""
    secret: str
    """For apps without a camera, in base32; this is the only response that has it."""
    uri: str
    """What the QR code says."""
    qr_svg: str
    """The QR code, as SVG."""
    expires_in: int
    """Seconds in which it must be confirmed."""

    EXAMPLE: ClassVar = {
        "secret": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
        "uri": "otpauth://totp/Shop:ada?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Shop",
        "qrSvg": '<svg width="180" height="180"></svg>',
        "expiresIn": 600,
    }


class PasskeyEnrolment(BaseSchema):
    """A passkey that is being added: confirm it with what the browser returns."""

    id: UUID
    """The id that the factor will have."""
    options: PasskeyOptions
    """For `navigator.credentials.create()`."""
    expires_in: int
    """Seconds in which it must be confirmed."""

    EXAMPLE: ClassVar = {"options": {"challenge": "MTc2NzI2ODgwMC4zVHEw"}, "expiresIn": 300}


class FactorProof(BaseRequest):
    """Proves a second factor: either `code` or `credential`."""

    code: Code = None
    credential: Credential = None

    EXAMPLE: ClassVar = {"code": "123456"}

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.code is None) == (self.credential is None):
            raise ValueError("Either code or credential is required.")
        return self


class FactorConfirmed(BaseSchema):
    """The factor that was added."""

    factor: FactorResponse
    """The factor."""
    recovery_codes: list[str] | None
    """With the first factor: codes that replace it, each once; this is the only response that has them."""

    EXAMPLE: ClassVar = {"recoveryCodes": [RECOVERY_CODE]}


class RecoveryCodes(BaseSchema):
    """Recovery codes; those before are void."""

    recovery_codes: list[str]
    """Each replaces a second factor once; this is the only response that has them."""

    EXAMPLE: ClassVar = {"recoveryCodes": [RECOVERY_CODE]}


class RecoveryCodesLeft(BaseSchema):
    """How many recovery codes are left."""

    left: int
    """How many have not been used."""

    EXAMPLE: ClassVar = {"left": 10}


class FactorLogin(FactorProof):
    """The second step of a login."""

    ticket: Ticket
    """From the response to the first step."""

    EXAMPLE: ClassVar = {"ticket": TICKET, "code": "123456"}


class PasskeyLoginOptions(BaseSchema):
    """For a login without a password."""

    options: PasskeyOptions
    """For `navigator.credentials.get()`."""
    expires_in: int
    """Seconds in which it must be used, from the same `User-Agent`."""

    EXAMPLE: ClassVar = {"options": {"challenge": "MTc2NzI2ODgwMC4zVHEw"}, "expiresIn": 300}


class PasskeyLogin(BaseRequest):
    """A login without a password."""

    credential: dict[str, Any]
    """What the browser's passkey returned: `PublicKeyCredential.toJSON()`."""

    EXAMPLE: ClassVar = {"credential": CREDENTIAL}


class Reauthentication(BaseRequest):
    """Proves again who the user is: `password` with `kid`, `code` or `credential`."""

    password: OptionalCiphertext = None
    kid: OptionalKeyId = None
    code: Code = None
    credential: Credential = None

    EXAMPLE: ClassVar = {"code": "123456"}

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if sum(value is not None for value in (self.password, self.code, self.credential)) != 1:
            raise ValueError("Either password, code or credential is required.")
        if (self.password is None) != (self.kid is None):
            raise ValueError("password and kid need each other.")
        return self


class AccessTokenResponse(BaseSchema):
    """A new access token of the same session; the refresh token stays as it is."""

    access_token: str
    """Send it as `Authorization: Bearer`."""
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - the scheme's name
    """The scheme of the `Authorization` header."""
    expires_in: int
    """Seconds until the access token expires."""

    EXAMPLE: ClassVar = {"accessToken": "eyJhbGciOiJIUzI1NiJ9.e30.c2ln", "expiresIn": 900}
