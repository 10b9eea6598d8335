"""Which headers of a message are Celery's and ours, and so nobody else's to set."""

from collections.abc import Mapping
from typing import Any

# Whatever a worker reads from a message's headers: what Celery writes there, the attributes of its request, and ours.
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
        "parent_id",
        "progress_told",
        "properties",
        "queued_at",
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
        "task",
        "taskset",
        "time_limit",
        "timelimit",
        "update",
        "utc",
    }
)


def is_reserved(name: str) -> bool:
    """Whether a header says what the message is, or who sent it."""
    return name in RESERVED or name.startswith("_")


def free_headers(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Headers without those that would make the message another than it is."""
    return {name: value for name, value in headers.items() if not is_reserved(name)}
