"""Traces with OpenTelemetry and error reports with Sentry: optional extras, off by default, and then not imported.

- `spans.py`: spans of our own, and the trace context that travels with messages; does nothing while tracing is off
- `tracing.py`: switches tracing on, with the official instrumentations of the libraries
- `sentry.py`: reports errors

Door: `start_telemetry`, which each composition root calls once, before it opens its stores.
"""

from src.core.config import Settings
from src.core.config.base import ConfigurationError


def start_telemetry(settings: Settings, process: str) -> None:
    """Start what the settings ask for.

    Args:
        settings: The settings.
        process: `api`, `worker` or `beat`; the service that traces belong to, unless `OTEL_SERVICE_NAME` names it.

    Raises:
        ConfigurationError: An extra is not installed.
    """
    telemetry = settings.telemetry
    try:
        if telemetry.tracing_enabled:
            from src.core.telemetry.tracing import start_tracing

            start_tracing(f"{settings.app.name}-{process}", telemetry.tracing_sample_ratio)
        if telemetry.sentry_dsn is not None:
            from src.core.telemetry.sentry import start_sentry

            start_sentry(telemetry.sentry_dsn.get_secret_value(), settings)
    except ImportError as error:
        name = "TRACING_ENABLED" if telemetry.tracing_enabled else "SENTRY_DSN"
        raise ConfigurationError(f"{name} needs an extra: pip install '.[otel,sentry]' ({error}).") from error
