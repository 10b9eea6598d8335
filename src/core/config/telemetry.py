"""Traces and error reports, which are off by default."""

from pydantic import Field, SecretStr

from src.core.config.base import SettingsGroup


class TelemetrySettings(SettingsGroup):
    """Whether and where traces and errors are reported; OpenTelemetry reads its own `OTEL_*` variables."""

    tracing_enabled: bool = Field(default=False, alias="TRACING_ENABLED")
    tracing_sample_ratio: float = Field(1, ge=0, le=1, alias="TRACING_SAMPLE_RATIO")
    sentry_dsn: SecretStr | None = Field(None, alias="SENTRY_DSN")
