"""Keys, lifetimes and limits of authentication."""

import secrets
from functools import cached_property
from pathlib import Path
from typing import Annotated

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import Field, SecretStr, field_validator

from src import NAME
from src.core.config.base import ConfigurationError, SettingsGroup
from src.utils.password_policy import weakness

MINIMUM_KEY_BYTES = 32
MINIMUM_RSA_BITS = 3072
MINIMUM_STORE_PASSWORD_LENGTH = 8

# Words from examples and templates.
_PLACEHOLDERS = ("your", "change", "secret", "example", "placeholder", "password", "123456", "minioadmin", "postgres")

Key = Annotated[SecretStr, Field(default_factory=lambda: SecretStr(secrets.token_urlsafe(48)))]


class AuthSettings(SettingsGroup):
    """Keys, token lifetimes, login limits and registration.

    Keys that are not set are generated at start, which works for a single process in development; deployed processes
    refuse to start without them. The previous keys are still accepted while keys are rotated.
    """

    access_token_key: Key = Field(alias="ACCESS_TOKEN_KEY")
    refresh_token_key: Key = Field(alias="REFRESH_TOKEN_KEY")
    access_token_previous_key: SecretStr | None = Field(None, alias="ACCESS_TOKEN_PREVIOUS_KEY")
    refresh_token_previous_key: SecretStr | None = Field(None, alias="REFRESH_TOKEN_PREVIOUS_KEY")
    rsa_private_key_setting: SecretStr | None = Field(None, alias="RSA_PRIVATE_KEY")
    rsa_public_key_setting: str | None = Field(None, alias="RSA_PUBLIC_KEY")
    rsa_previous_private_key_setting: SecretStr | None = Field(None, alias="RSA_PREVIOUS_PRIVATE_KEY")

    issuer: str = Field(NAME.lower(), alias="TOKEN_ISSUER")
    audience: str = Field(NAME.lower(), alias="TOKEN_AUDIENCE")
    access_seconds: int = Field(15 * 60, ge=1, le=15 * 60, alias="ACCESS_TOKEN_EXP")
    session_idle_seconds: int = Field(7 * 86_400, ge=1, alias="REFRESH_TOKEN_EXP")
    session_absolute_seconds: int = Field(30 * 86_400, ge=1, alias="SESSION_ABSOLUTE_SECONDS")
    refresh_cookie_enabled: bool = Field(False, alias="REFRESH_COOKIE_ENABLED")
    refresh_grace_seconds: int = Field(10, ge=0, le=60, alias="REFRESH_GRACE_SECONDS")
    challenge_seconds: int = Field(120, ge=10, le=600, alias="LOGIN_CHALLENGE_SECONDS")
    permission_cache_seconds: int = Field(15 * 60, ge=1, le=15 * 60, alias="PERMISSION_CACHE_SECONDS")
    hash_threads: int = Field(2, ge=1, alias="PASSWORD_HASH_THREADS")
    hash_queue: int = Field(64, ge=1, alias="PASSWORD_HASH_QUEUE")
    login_failures_per_account: int = Field(10, ge=1, alias="LOGIN_FAILURES_PER_ACCOUNT")
    login_failures_per_address: int = Field(100, ge=1, alias="LOGIN_FAILURES_PER_ADDRESS")
    login_window_seconds: int = Field(15 * 60, ge=1, alias="LOGIN_WINDOW_SECONDS")
    code_failures_per_day: int = Field(30, ge=1, alias="FACTOR_FAILURES_PER_DAY")
    sessions_per_user: int = Field(5000, ge=1, alias="SESSIONS_PER_USER")
    export_days: int | None = Field(None, ge=1, le=365, alias="ACCOUNT_EXPORT_DAYS")
    deletion_days: int | None = Field(None, ge=0, le=365, alias="ACCOUNT_DELETION_DAYS")
    act_as_enabled: bool = Field(False, alias="ACT_AS_ENABLED")
    devices_enabled: bool = Field(False, alias="DEVICES_ENABLED")
    api_keys_enabled: bool = Field(True, alias="API_KEYS_ENABLED")
    api_keys_per_user: int = Field(50, ge=1, alias="API_KEYS_PER_USER")
    registration_enabled: bool = Field(False, alias="AUTH_REGISTRATION_ENABLED")
    initial_admin_password: SecretStr | None = Field(None, alias="INITIAL_ADMIN_PASSWORD")

    @field_validator("access_token_key", "refresh_token_key", mode="before")
    @classmethod
    def _strip(cls, value: object) -> object:
        return value.strip() if isinstance(value, str) else value

    @cached_property
    def rsa_private_key(self) -> rsa.RSAPrivateKey:
        """The private key that logins are decrypted with; generated if it is not set, in debug environments only."""
        if self.rsa_private_key_setting is None:
            return rsa.generate_private_key(public_exponent=65537, key_size=MINIMUM_RSA_BITS)
        return load_rsa_key(self.rsa_private_key_setting.get_secret_value(), "RSA_PRIVATE_KEY")

    @cached_property
    def rsa_previous_private_key(self) -> rsa.RSAPrivateKey | None:
        """The key before the last rotation, for logins that began with it."""
        if self.rsa_previous_private_key_setting is None:
            return None
        return load_rsa_key(self.rsa_previous_private_key_setting.get_secret_value(), "RSA_PREVIOUS_PRIVATE_KEY")

    def check(self) -> None:
        """Refuse RSA keys that are unreadable, too small or not a pair; runs in every environment.

        Raises:
            ConfigurationError: With the reason, in one line.
        """
        if self.rsa_private_key_setting:
            _ = self.rsa_private_key
        _ = self.rsa_previous_private_key
        if self.rsa_public_key_setting and self.rsa_private_key_setting:
            try:
                public = serialization.load_pem_public_key(read_pem(self.rsa_public_key_setting, "RSA_PUBLIC_KEY"))
            except ValueError as error:
                raise ConfigurationError("RSA_PUBLIC_KEY is not a public key in PEM form.") from error
            if public != self.rsa_private_key.public_key():
                raise ConfigurationError("RSA_PUBLIC_KEY does not belong to RSA_PRIVATE_KEY.")

    def check_deployed(self) -> None:
        """Refuse missing, weak and placeholder secrets.

        Raises:
            ConfigurationError: With the first reason, in one line.
        """
        for name in ("access_token_key", "refresh_token_key"):
            if name not in self.model_fields_set:
                raise ConfigurationError(f"{name.upper()} must be set.")
            check_secret(name.upper(), getattr(self, name).get_secret_value())
        if self.access_token_key == self.refresh_token_key:
            raise ConfigurationError("ACCESS_TOKEN_KEY and REFRESH_TOKEN_KEY must differ.")
        if self.rsa_private_key_setting is None:
            raise ConfigurationError("RSA_PRIVATE_KEY must be set, as PEM text or as the path of a PEM file.")
        for name in ("access_token_previous_key", "refresh_token_previous_key"):
            if previous := getattr(self, name):
                check_secret(name.upper(), previous.get_secret_value())
        if self.initial_admin_password and (reason := weakness(self.initial_admin_password.get_secret_value())):
            raise ConfigurationError(f"INITIAL_ADMIN_PASSWORD {reason}.")


def check_secret(name: str, value: str) -> None:
    """Refuse a secret that is short, a placeholder, or has fewer than 10 different characters.

    Raises:
        ConfigurationError: With the reason; the secret itself is never shown.
    """
    if len(value.encode()) < MINIMUM_KEY_BYTES:
        raise ConfigurationError(f"{name} must have at least {MINIMUM_KEY_BYTES} bytes.")
    check_no_placeholder(name, value)
    if len(set(value)) < 10:
        raise ConfigurationError(f"{name} is not random; generate one that is.")


def check_store_password(name: str, username: str, password: str) -> None:
    """Refuse a password that is missing, short, the username, or from an example.

    Raises:
        ConfigurationError: With the reason; the password itself is never shown.
    """
    if not password:
        raise ConfigurationError(f"{name} is missing. ALLOW_INSECURE_STORES may allow that on a Unix socket.")
    if len(password) < MINIMUM_STORE_PASSWORD_LENGTH or len(set(password)) < 4 or username.lower() == password.lower():
        raise ConfigurationError(
            f"{name} is weak: it needs {MINIMUM_STORE_PASSWORD_LENGTH} characters, and not the username."
        )
    check_no_placeholder(name, password)


def check_no_placeholder(name: str, value: str) -> None:
    """Refuse a secret that contains a word of an example.

    Raises:
        ConfigurationError: With the setting's name.
    """
    if any(word in value.lower() for word in _PLACEHOLDERS):
        raise ConfigurationError(f"{name} looks like a placeholder; generate a random one.")


def read_pem(value: str, name: str) -> bytes:
    """Read PEM text from the setting or from the file that it names.

    Raises:
        ConfigurationError: It is neither.
    """
    if "-----BEGIN" in value:
        return value.replace("\\n", "\n").encode()
    try:
        return Path(value).read_bytes()
    except OSError as error:
        # The value is not shown: it may be the key itself, without its first line.
        raise ConfigurationError(f"{name} is neither PEM text nor the path of a readable file.") from error


def load_rsa_key(value: str, name: str) -> rsa.RSAPrivateKey:
    """Load a private key and check its size.

    Raises:
        ConfigurationError: It is unreadable, not RSA, or smaller than 3072 bits.
    """
    try:
        # Validating the key's numbers takes 0.2 s in every process, and its source is trusted.
        key = serialization.load_pem_private_key(read_pem(value, name), None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"{name} is not an unencrypted private key in PEM form.") from error
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < MINIMUM_RSA_BITS:
        raise ConfigurationError(f"{name} must be an RSA key of at least {MINIMUM_RSA_BITS} bits.")
    return key
