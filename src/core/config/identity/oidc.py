"""OpenID providers that people may log in with, and where the browser goes before and after."""

import re
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr
from pydantic.alias_generators import to_camel

from src.core.config.auth import check_no_placeholder
from src.core.config.base import ConfigurationError, SettingsGroup
from src.core.config.identity.email import LOOPBACK


class OidcProviderSettings(BaseModel):
    """One provider, as `OIDC_PROVIDERS` has it by name; names of fields in camelCase.

    Attributes:
        issuer: Its identity, and where its discovery document is; as the provider writes it.
        client_secret: None for a public client, which PKCE alone protects.
        display_name: What the login page calls it; by default its name.
        role_claim: The claim that `roles` looks at: its name, or a path such as `realm_access.roles`.
        roles: Codes of roles by a value of that claim. Each login gives these roles, and takes those of them away that
            the claim no longer has. Other roles are left alone, and nobody becomes an administrator.
        allow_sign_up: Whether people without an account get one.
        sufficient_acr: A login with one of these values of `acr` needs no second factor of ours.
        sufficient_amr: The same for `amr`.
    """

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, hide_input_in_errors=True
    )

    issuer: str
    client_id: str = Field(min_length=1)
    client_secret: SecretStr | None = None
    display_name: str | None = None
    scopes: list[str] = ["openid", "email", "profile"]
    role_claim: str | None = None
    roles: dict[str, list[str]] = {}
    allow_sign_up: bool = False
    sufficient_acr: list[str] = []
    sufficient_amr: list[str] = []

    def check(self, name: str, *, allows_http: bool) -> None:
        """Refuse what cannot work, or is not encrypted.

        Raises:
            ConfigurationError: With the first reason, in one line.
        """
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,31}", name):
            raise ConfigurationError(
                f"OIDC_PROVIDERS: {name!r} must have at most 32 lowercase letters, digits and hyphens."
            )
        if not is_allowed_url(self.issuer, allows_http=allows_http) or re.search("[?#]", self.issuer):
            raise ConfigurationError(
                f"OIDC_PROVIDERS: the issuer of {name} must be an https:// URL without query and fragment."
            )
        if "openid" not in self.scopes:
            raise ConfigurationError(f"OIDC_PROVIDERS: the scopes of {name} must include openid.")
        if self.roles and not self.role_claim:
            raise ConfigurationError(f"OIDC_PROVIDERS: {name} has roles, which need a roleClaim.")


class OidcSettings(SettingsGroup):
    """The providers. Without any, the routes for their logins do not exist."""

    providers: dict[str, OidcProviderSettings] = Field({}, alias="OIDC_PROVIDERS")
    public_url: str = Field("", alias="OIDC_PUBLIC_URL")
    frontend_url: str = Field("", alias="OIDC_FRONTEND_URL")
    timeout_seconds: float = Field(5, gt=0, le=60, alias="OIDC_TIMEOUT_SECONDS")

    @property
    def enabled(self) -> bool:
        """Whether people may log in with a provider."""
        return bool(self.providers)

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach this API by HTTPS, so that cookies can require it."""
        return self.public_url.startswith("https://")

    def callback_url(self, provider: str) -> str:
        """Where a provider sends the browser back to; it has to be registered there."""
        return f"{self.public_url.rstrip('/')}/api/v1/auth/oidc/{provider}/callback"

    def check(self, *, allows_http: bool) -> None:
        """Refuse providers and addresses that cannot work, or are not encrypted; runs in every environment.

        Args:
            allows_http: Whether issuers on other machines may do without HTTPS.

        Raises:
            ConfigurationError: With the first reason, in one line.
        """
        if not self.enabled:
            return
        for name, provider in self.providers.items():
            provider.check(name, allows_http=allows_http)
        if not re.fullmatch(r"https?://[^\s?#@]+", self.public_url):
            raise ConfigurationError(
                "OIDC_PUBLIC_URL must be where browsers reach this API, such as https://api.shop.example."
            )
        if self.frontend_url and not re.fullmatch(r"https?://[^\s?#@]+", self.frontend_url):
            raise ConfigurationError(
                "OIDC_FRONTEND_URL must be the login page of your frontend, such as https://shop.example/login."
            )

    def check_deployed(self) -> None:
        """Refuse addresses without encryption, and secrets from an example.

        Raises:
            ConfigurationError: With the first reason, in one line.
        """
        if not self.enabled:
            return
        if not self.is_secure:
            raise ConfigurationError("OIDC_PUBLIC_URL must begin with https://.")
        if self.frontend_url and not self.frontend_url.startswith("https://"):
            raise ConfigurationError("OIDC_FRONTEND_URL must begin with https://: whoever reads a code can use it.")
        for name, provider in self.providers.items():
            if provider.client_secret is not None:
                check_no_placeholder(f"The clientSecret of {name}", provider.client_secret.get_secret_value())


def is_local(url: object) -> bool:
    """Whether the URL leads to this machine."""
    return isinstance(url, str) and urlsplit(url).hostname in LOOPBACK


def is_allowed_url(url: object, *, allows_http: bool) -> bool:
    """Whether requests may be sent to this URL: by HTTPS, or to this machine, and without a username."""
    try:
        parts = urlsplit(url if isinstance(url, str) else "")
        _ = parts.port
    except ValueError:
        return False
    if not parts.hostname or "@" in parts.netloc:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and (allows_http or parts.hostname in LOOPBACK))
