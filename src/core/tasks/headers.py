"""Reserved message headers that callers must not set."""

from collections.abc import Mapping
from typing import Any

# Headers that Celery writes, attributes of its request (which headers would replace), and this project's own.
RESERVED = frozenset(
    {
        "args",
        "argsrepr",
        "as_execution_options",
        "callbacks",
        "called_directly",
        "chain",
        "children",
        "chord",
        "clear",
        "compression",
        "correlation_id",
        "dead_letter_of",
        "delivery_info",
        "errbacks",
        "eta",
        "execution_options",
        "expires",
        "get",
        "group",
        "group_index",
        "headers",
        "hostname",
        "id",
        "ignore_result",
        "is_eager",
        "kwargs",
        "kwargsrepr",
        "lang",
        "logfile",
        "loglevel",
        "method",
        "origin",
        "outage",
        "parent_id",
        "progress_sent_at",
        "properties",
        "queued_at",
        "rate_limit_turn",
        "redelivered",
        "replaced_task_nesting",
        "reply_to",
        "request_id",
        "requested_by",
        "retries",
        "retry_of",
        "root_id",
        "schedule_id",
        "scheduled_for",
        "shadow",
        "soft_time_limit",
        "stamped_headers",
        "stamps",
        "baggage",
        "task",
        "taskset",
        "time_limit",
        "timelimit",
        "traceparent",
        "tracestate",
        "update",
        "utc",
    }
)


def is_reserved(name: str) -> bool:
    """Whether callers must not set this header."""
    return name in RESERVED or name.startswith("_")


def free_headers(headers: Mapping[str, Any]) -> dict[str, Any]:
    """The headers without the reserved ones."""
    return {name: value for name, value in headers.items() if not is_reserved(name)}
