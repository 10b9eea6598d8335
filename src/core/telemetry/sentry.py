"""Reports errors to Sentry; importing this needs the extra `sentry`."""

import sys
from collections.abc import MutableMapping
from typing import Any

import sentry_sdk

from src.core import logging
from src.core.config import Settings

SEVERITIES = {"error", "critical"}


def start_sentry(dsn: str, settings: Settings) -> None:
    """Report what is logged as ERROR or CRITICAL, by our own loggers and those of libraries.

    Neither local variables nor personal data are sent. Traces are OpenTelemetry's.
    """
    sentry_sdk.init(
        dsn,
        environment=settings.ENVIRONMENT.value,
        release=settings.app.version,
        send_default_pii=False,
        include_local_variables=False,
        auto_enabling_integrations=False,  # they wrap FastAPI and Celery, whose errors are logged in any case
    )
    logging.report_error = report


def report(entry: MutableMapping[str, Any]) -> None:
    """Report a line of one of our own loggers."""
    if entry.get("level") not in SEVERITIES:
        return
    with sentry_sdk.new_scope() as scope:
        scope.set_tag("request_id", entry.get("request_id", ""))
        error = entry.get("exc_info")
        if error is True:
            error = sys.exc_info()[1]
        scope.set_extra("entry", {key: repr(value) for key, value in entry.items() if key != "exc_info"})
        if error:
            sentry_sdk.capture_exception(error)
        else:
            sentry_sdk.capture_message(str(entry.get("event")), entry["level"])
