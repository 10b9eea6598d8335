from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from src.core.config.identity.oidc import OidcProviderSettings

MAXIMUM_LENGTH = 255


@dataclass(frozen=True, slots=True)
class ProviderIdentity:
    """Somebody who has logged in with a provider, from verified claims.

    Attributes:
        subject: Who it is; unique, and never given to another person, together with the issuer.
        session_id: `sid`, the session at the provider; empty if it names none.
        issued_at: When the provider said so, in Unix seconds.
        authenticated_at: `auth_time`, when they proved there who they are; None if it does not say.
        claims: All claims; of the user info, those that the ID token lacks.
    """

    provider: str
    issuer: str
    subject: str
    session_id: str
    issued_at: int
    authenticated_at: int | None
    claims: Mapping[str, Any]

    @classmethod
    def of(cls, provider: str, claims: Mapping[str, Any]) -> Self:
        """The identity in the claims of a verified ID token.

        Raises:
            ValueError: A claim is not what it should be.
        """
        subject, session_id = _identifier(claims["sub"]), _identifier(claims.get("sid", ""))
        if not subject:
            raise ValueError("sub is empty")
        auth_time = claims.get("auth_time")
        authenticated_at = None if auth_time is None else max(0, int(auth_time))
        return cls(provider, claims["iss"], subject, session_id, int(claims["iat"]), authenticated_at, dict(claims))

    @property
    def verified_email(self) -> str | None:
        """The e-mail address, if the provider says that it is theirs."""
        email = self.claims.get("email")
        is_verified = self.claims.get("email_verified") in (True, "true")  # some providers send text
        return email if isinstance(email, str) and is_verified else None

    def text(self, claim: str) -> str:
        """The text of a claim; empty if it has none."""
        value = self.claims.get(claim)
        return value if isinstance(value, str) else ""

    def mapped_roles(self, settings: OidcProviderSettings) -> set[str]:
        """Codes of the roles that the claims give, by the mapping of the settings."""
        value = _find(self.claims, settings.role_claim or "")
        values = value if isinstance(value, list) else [value]
        return {code for each in values if isinstance(each, str) for code in settings.roles.get(each, ())}

    def has_sufficient_factor(self, settings: OidcProviderSettings) -> bool:
        """Whether the provider has asked for as much as a second factor of ours."""
        methods = self.claims.get("amr")
        used = [method for method in methods if isinstance(method, str)] if isinstance(methods, list) else []
        return self.text("acr") in settings.sufficient_acr or not set(settings.sufficient_amr).isdisjoint(used)


@dataclass(frozen=True, slots=True)
class ProviderLogout:
    """A logout at a provider, from the verified claims of a logout token: of one session, or of all of a subject.

    Attributes:
        token_id: `jti`, which is different for each logout.
        issued_at: When the provider said so, in Unix seconds.
    """

    issuer: str
    subject: str
    session_id: str
    token_id: str
    issued_at: int

    @classmethod
    def of(cls, issuer: str, claims: Mapping[str, Any]) -> Self:
        """The logout in the claims of a verified logout token.

        Raises:
            ValueError: A claim is not what it should be.
        """
        subject, session_id = (_identifier(claims.get(name, "")) for name in ("sub", "sid"))
        if not (subject or session_id) or not claims["jti"]:
            raise ValueError("sub, sid or jti")
        return cls(issuer, subject, session_id, _identifier(claims["jti"]), int(claims["iat"]))


def _identifier(value: object) -> str:
    """An identifier as providers give them.

    Raises:
        ValueError: It is no text, too long, or has control characters.
    """
    if not isinstance(value, str) or len(value) > MAXIMUM_LENGTH or not value.isprintable():
        raise ValueError("not an identifier")
    return value


def _find(claims: Mapping[str, Any], name: str) -> Any:
    """The value of a claim by its name, which may hold dots, or by its path."""
    if name in claims:
        return claims[name]
    value: Any = claims
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
