"""Environment, logs, request limits, CORS, and where traces and errors are reported."""

import json
import re
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from src import NAME
from src.core.config.base import ConfigurationError, SettingsGroup

LogLevel = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(lambda value: str(value).upper())
]
# Either `["a", "b"]` or `a, b`.
Names = Annotated[list[str], NoDecode, BeforeValidator(lambda value: _names(value))]

# Stores that may be on a Unix socket, and the mail server.
Stores = Annotated[
    list[Literal["postgresql", "redis", "mongodb", "smtp"]], NoDecode, BeforeValidator(lambda value: _names(value))
]
# What a page of a site sends as its origin, or an app with a scheme of its own.
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^*/\s]+")

# Sample origins: a CORS regex that matches one of them matches any site.
_SAMPLE_ORIGINS = [
    "null",
    *(f"{scheme}://anybody.{zone}" for scheme in ("http", "https") for zone in ("com", "net", "org", "io", "example")),
]


def _names(value: object) -> object:
    if not isinstance(value, str):
        return value
    return json.loads(value) if value.lstrip().startswith("[") else [name.strip() for name in value.split(",") if name]


class Environment(StrEnum):
    """Where the process runs, from `ENVIRONMENT`."""

    LOCAL = "LOCAL"
    TESTING = "TESTING"
    STAGING = "STAGING"
    PRODUCTION = "PRODUCTION"

    @property
    def has_docs(self) -> bool:
        """Whether documentation pages and the Swagger login exist."""
        return self is not Environment.PRODUCTION

    @property
    def checks_events(self) -> bool:
        """Whether an undeclared Socket.IO event is an error."""
        return self is not Environment.PRODUCTION

    @property
    def is_deployed(self) -> bool:
        """Whether weak secrets and open CORS are refused."""
        return self in (Environment.STAGING, Environment.PRODUCTION)


class AppSettings(SettingsGroup):
    """The process: environment, logs, request limits."""

    environment: Environment = Field(Environment.LOCAL, alias="ENVIRONMENT")
    name: str = Field(NAME, alias="APP_NAME")
    version: str = Field("0.1.0", alias="APP_VERSION")
    log_level: LogLevel = Field("INFO", alias="LOG_LEVEL")
    console_enabled: bool | None = Field(None, alias="CONSOLE_ENABLED")
    metrics_token: SecretStr | None = Field(None, min_length=16, alias="METRICS_TOKEN")
    rate_limit_factor: float = Field(1, ge=0, alias="RATE_LIMIT_FACTOR")
    max_body_bytes: int = Field(1024 * 1024, ge=1024, alias="MAX_BODY_BYTES")
    refusals_per_account: int = Field(300, ge=1, alias="REFUSALS_PER_ACCOUNT")
    refusals_per_address: int = Field(6000, ge=1, alias="REFUSALS_PER_ADDRESS")
    insecure_stores: Stores = Field([], alias="ALLOW_INSECURE_STORES")
    request_timeout_seconds: float = Field(10, gt=0, alias="REQUEST_TIMEOUT_SECONDS")
    drain_seconds: float = Field(0, ge=0, alias="DRAIN_SECONDS")
    ops_report_seconds: float = Field(5, ge=0, alias="OPS_REPORT_SECONDS")
    audit_retention_days: int = Field(365, ge=1, alias="AUDIT_RETENTION_DAYS")

    @property
    def has_console(self) -> bool:
        """Whether `/console` exists: as set, by default everywhere but in production."""
        return self.environment.has_docs if self.console_enabled is None else self.console_enabled


class CorsSettings(SettingsGroup):
    """Origins whose pages may call the REST API and Socket.IO."""

    origins: Names = Field([], alias="CORS_ORIGINS")
    origins_regex: str | None = Field(None, alias="CORS_ORIGINS_REGEX")
    headers: Names = Field(
        [
            "Authorization",
            "Content-Type",
            "If-Match",
            "If-None-Match",
            "If-Range",
            "Range",
            "X-Device-Token",
            "X-Refresh-Token",
            "X-Request-ID",
        ],
        alias="CORS_HEADERS",
    )

    @field_validator("origins_regex")
    @classmethod
    def _is_expression(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError("not a regular expression") from error
        return value

    def allows(self, origin: str) -> bool:
        """Whether pages of this origin may call the API."""
        return origin in self.origins or re.fullmatch(self.origins_regex or "(?!)", origin) is not None

    def check_origins(self) -> None:
        """Refuse origins that let any site use its visitors' credentials.

        Raises:
            ConfigurationError: The list or the pattern matches every origin.
        """
        for origin in self.origins:
            if origin != "*" and not _ORIGIN.fullmatch(origin):  # pages without a site send "null": sandboxes, files
                raise ConfigurationError(
                    f"CORS_ORIGINS: {origin!r} is not the origin of a site, such as https://shop.example."
                )
        expression = re.compile(self.origins_regex or "(?!)")
        if "*" in self.origins or any(expression.fullmatch(origin) for origin in _SAMPLE_ORIGINS):
            raise ConfigurationError("CORS_ORIGINS must list origins; a wildcard would let any page use credentials.")


class TelemetrySettings(SettingsGroup):
    """Whether and where traces and errors are reported; OpenTelemetry reads its own `OTEL_*` variables."""

    tracing_enabled: bool = Field(default=False, alias="TRACING_ENABLED")
    tracing_sample_ratio: float = Field(1, ge=0, le=1, alias="TRACING_SAMPLE_RATIO")
    sentry_dsn: SecretStr | None = Field(None, alias="SENTRY_DSN")
