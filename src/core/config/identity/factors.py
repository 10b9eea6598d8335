"""Second factors: the key that encrypts their secrets, who must have one, and the site that passkeys belong to."""

import re
import secrets
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, SecretStr

from src.core.config.app import Names
from src.core.config.auth import check_secret
from src.core.config.base import ConfigurationError, SettingsGroup

_ORIGIN = re.compile(r"https?://[^/\s?#]+")
_LOCAL_ORIGIN = re.compile(r"http://localhost(:\d+)?")
LOCAL_RP_ID = "localhost"

GeneratedKey = Annotated[SecretStr, Field(default_factory=lambda: SecretStr(secrets.token_urlsafe(48)))]


class FactorSettings(SettingsGroup):
    """Authenticator apps, passkeys and recovery codes."""

    enabled_setting: bool | None = Field(None, alias="FACTORS_ENABLED")
    is_required: bool = Field(False, alias="FACTORS_REQUIRED")
    key: GeneratedKey = Field(alias="FACTOR_KEY")
    previous_key: SecretStr | None = Field(None, alias="FACTOR_PREVIOUS_KEY")
    rp_id_setting: str = Field("", alias="WEBAUTHN_RP_ID")
    origins: Names = Field([], alias="WEBAUTHN_ORIGINS")

    @property
    def has_key(self) -> bool:
        """Whether `FACTOR_KEY` is set, and not generated for this process."""
        return "key" in self.model_fields_set

    def allows_origin(self, origin: str) -> bool:
        """Whether passkeys may be used on pages of this origin; without `WEBAUTHN_RP_ID`, any port of this machine."""
        return origin in self.origins if self.rp_id_setting else bool(_LOCAL_ORIGIN.fullmatch(origin))

    def check(self) -> None:
        """Refuse a site for passkeys that browsers would refuse; runs in every environment.

        Raises:
            ConfigurationError: With the first reason, in one line.
        """
        if bool(self.rp_id_setting) != bool(self.origins):
            raise ConfigurationError("WEBAUTHN_RP_ID and WEBAUTHN_ORIGINS need each other.")
        for origin in self.origins:
            host = urlsplit(origin).hostname or ""
            if not _ORIGIN.fullmatch(origin) or not f".{host}".endswith(f".{self.rp_id_setting}"):
                raise ConfigurationError(
                    f"WEBAUTHN_ORIGINS: {origin!r} is not the origin of a page of {self.rp_id_setting}, "
                    f"such as https://{self.rp_id_setting}."
                )

    def check_deployed(self) -> None:
        """Refuse a missing or weak key, and passkeys on pages without TLS.

        Raises:
            ConfigurationError: With the first reason, in one line.
        """
        if self.enabled_setting and not self.has_key:
            raise ConfigurationError("FACTOR_KEY must be set where FACTORS_ENABLED is.")
        if self.is_required and not self.has_key:
            raise ConfigurationError("FACTOR_KEY must be set where FACTORS_REQUIRED is.")
        for name, key in (("FACTOR_KEY", self.key), ("FACTOR_PREVIOUS_KEY", self.previous_key)):
            if key is not None:
                check_secret(name, key.get_secret_value())
        if any(not origin.startswith("https://") for origin in self.origins):
            raise ConfigurationError("WEBAUTHN_ORIGINS must begin with https://: browsers have no passkeys elsewhere.")
