"""Structured logs: readable in `LOCAL`, one JSON object per line elsewhere, with secrets masked.

Our own loggers (structlog) write to standard output directly, which is much cheaper than the standard library's
logging. Loggers of libraries get the same format from a formatter.
"""

import json
import logging
import sys
import time
from collections.abc import Callable, MutableMapping
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from io import StringIO
from typing import Any, TextIO

import structlog
from pydantic_core import PydanticSerializationError, to_json

from src.core.config import Settings
from src.core.config.app import Environment
from src.core.stores.errors import missing_schema
from src.utils.masking import MASK, is_secret
from src.utils.text import escape_controls

request_id: ContextVar[str] = ContextVar("request_id", default="")

# Set by `src/core/telemetry`: the ids of the current span, and what reports errors.
trace_fields: Callable[[], dict[str, str]] = dict
report_error: Callable[[MutableMapping[str, Any]], object] | None = None

# Whether INFO lines are written, and as JSON; set by `configure_logging`.
_writes_json_info = False


class LogStream:
    """Standard output, which drops lines that cannot be written: a full disk must not fail requests.

    Attributes:
        dropped: The number of dropped lines.
    """

    def __init__(self) -> None:
        self.dropped = 0

    def write(self, text: str) -> None:
        """Write a line, or a part of it."""
        try:
            sys.stdout.write(text)
        except OSError:
            self.dropped += 1

    def flush(self) -> None:
        """Pass the line on."""
        try:
            sys.stdout.flush()
        except OSError:
            self.dropped += 1


log_stream = LogStream()


class NamedLogger(structlog.WriteLogger):
    """Writes rendered lines to standard output; its name is added to them."""

    def __init__(self, name: str) -> None:
        super().__init__(log_stream)  # type: ignore[arg-type]  # it calls `write` and `flush` only
        self.name = name


def configure_logging(settings: Settings) -> None:
    """Write the logs of this project and of libraries to standard output, in one format."""
    global _writes_json_info
    level = logging.getLevelNamesMapping()[settings.app.log_level.upper()]
    _writes_json_info = level <= logging.INFO and settings.ENVIRONMENT is not Environment.LOCAL
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_request_id,
        mask_secrets,
    ]
    structlog.configure(
        processors=[*shared, _report_errors, *_rendering(settings.ENVIRONMENT)],
        logger_factory=NamedLogger,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(log_stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[add_run, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(settings.ENVIRONMENT)],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
    # The outage of a store is logged once (`outages.py`); these log each attempt to reach it, one with a traceback.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    logging.getLogger("src.core.stores.fair_pool").setLevel(logging.CRITICAL)
    # Our own access log (`src/middlewares/access_log.py`) replaces it.
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)


def write_info(logger: str, event: str, entry: dict[str, Any]) -> None:
    """Log a line of every request without structlog's processors, which take 26 us; `entry` must hold no secrets.

    The line is the same as that of `structlog.get_logger(logger).info(event, **entry)`.
    """
    if not _writes_json_info:
        structlog.get_logger(logger).info(event, **entry)
        return
    entry["event"], entry["level"], entry["logger"], entry["timestamp"] = event, "info", logger, _now()
    log_stream.write(_serialize(add_request_id(None, "info", entry)) + "\n")
    log_stream.flush()


def _now() -> str:
    second, microseconds = divmod(time.time_ns() // 1000, 1_000_000)
    return f"{_format_second(second)}.{microseconds:06}Z"


# The date takes a third of the time that a line takes, and many lines have the same second.
@lru_cache(maxsize=1)
def _format_second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat().removesuffix("+00:00")


# Without local variables, which may hold passwords.
_tracebacks = structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False))


def _rendering(environment: Environment) -> list[structlog.types.Processor]:
    if environment is Environment.LOCAL:
        render = structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty(), exception_formatter=_write_traceback)
        return [_explain_missing_schema, _escape_values, render]
    return [_explain_missing_schema, _tracebacks, structlog.processors.JSONRenderer(serializer=_serialize)]


def _explain_missing_schema(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Say what to do about a missing table or column, in place of a traceback that ends with its name."""
    error = entry.get("exc_info")
    if error is True:
        error = sys.exc_info()
    if reason := missing_schema(error[1] if isinstance(error, tuple) else error):
        del entry["exc_info"]
        entry["reason"] = reason
    return entry


def _escape_values(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Escape what would control the terminal; the renderer does so for values that are no text."""
    for key, value in entry.items():
        if isinstance(value, str):
            entry[key] = escape_controls(value, keep="\n" if key in ("exception", "stack") else "")
    return entry


def _write_traceback(file: TextIO, error: Any) -> None:
    text = StringIO()
    structlog.dev.plain_traceback(text, error)
    file.write(escape_controls(text.getvalue(), keep="\n"))


def _serialize(entry: Any, **_options: Any) -> str:
    try:
        text = to_json(entry, fallback=repr).decode()
    except PydanticSerializationError:  # text or bytes that are no UTF-8
        text = json.dumps(entry, default=repr)
    # JSON need not escape them all.
    return text if text.isascii() and "\x7f" not in text else escape_controls(text)


def add_request_id(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the ids of the current request and span, if there are any."""
    name = request_id.get()
    if name:
        entry["request_id"] = name
    entry.update(trace_fields())
    return entry


def add_run(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the task and the id of the run that a line of Celery's is about, and leave its result out."""
    data = getattr(entry.get("_record"), "data", None)
    if isinstance(data, dict) and {"id", "name"} <= data.keys():
        entry.update(task=data["name"], task_id=data["id"])
        if "return_value" in data:  # it may hold secrets
            text = f"Task {data['name']}[{data['id']}] succeeded"
            entry.update(event=text, ms=round(data["runtime"] * 1000, 1))
    return entry


def _report_errors(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if report_error is not None:
        report_error(entry)
    return entry


def mask_secrets(_logger: Any, _method: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask the values of keys that look like credentials."""
    entry.pop("color_message", None)  # uvicorn's copy of the message with colors
    for key in entry:
        if is_secret(key):
            entry[key] = MASK
    return entry
