"""The response of a login that needs a second factor; the routes of factors import their schemas from `factor.py`."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from src.schemas.base import BaseSchema

ProofKind = Literal["totp", "passkey", "recovery_code", "password"]
TICKET = "kq3tq0yB6cXn1oUuK2dMhWfE9v5d41402abc4b2a76b"

PasskeyOptions = Annotated[
    dict[str, Any], Field(description="For `PublicKeyCredential.parse…OptionsFromJSON()` in the browser.")
]


class ProofOptions(BaseSchema):
    """By what the user can prove who they are."""

    kinds: list[ProofKind]
    """What is possible."""
    passkey_options: PasskeyOptions | None
    """For `navigator.credentials.get()`, if a passkey is."""

    EXAMPLE: ClassVar = {"kinds": ["totp", "recovery_code"], "passkeyOptions": None}


class FactorChallenge(ProofOptions):
    """The `data` of the error `auth.factor_required`: continue with `POST /auth/login/factor`."""

    ticket: str
    """Send it with the proof, from the same `User-Agent`."""
    expires_in: int
    """Seconds until the ticket expires."""

    EXAMPLE: ClassVar = {**ProofOptions.EXAMPLE, "ticket": TICKET, "expiresIn": 300}
