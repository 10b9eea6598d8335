"""Which request needs which store, and what must happen while one fails. `docs/reliability.md` shows this table.

python -m tests.faults.matrix
"""

from dataclasses import dataclass, field
from typing import Any

from tests.support.people import PASSWORD, Person
from tests.support.stores import ROOT

DOCUMENT = ROOT / "docs" / "reliability.md"

# The method of the proxy, and what it does.
FAULTS = {
    "delay": "answers 20 ms late",
    "hang": "accepts connections and does not respond",
    "lose_replies": "gets requests, and its replies are lost",
    "reset": "drops every connection",
    "refuse": "refuses connections",
    "cut": "drops the connection in the middle of a reply",
}
# How an outage can be told: the metric that moves, and what the reason in the log begins with (one of these).
LOST, REFUSED, SILENT = "the connection is lost", "it refuses connections", "no response in time"
SIGNS = {
    "delay": ("store_check_seconds", ()),
    "hang": ("store_failures_total", (SILENT,)),
    "lose_replies": ("store_failures_total", (SILENT,)),
    "reset": ("store_failures_total", (LOST,)),
    "refuse": ("store_failures_total", (REFUSED, LOST)),
    "cut": ("store_failures_total", (LOST,)),
}
# The store, and how long a request that needs it waits for it: the setting and its default.
STORES = {
    "redis": ("Redis", "REDIS_TIMEOUT_SECONDS", 0.5),
    "postgres": ("PostgreSQL", "SQL_COMMAND_TIMEOUT_SECONDS", 10),
    "mongo": ("MongoDB", "MONGO_TIMEOUT_SECONDS", 2),
    "s3": ("S3", "MINIO_TIMEOUT_SECONDS", 5),
}


@dataclass(frozen=True)
class Request:
    """A kind of request: the stores that it needs, and its status while they work."""

    method: str
    path: str
    needs: frozenset[str]
    status: int = 200
    content: dict[str, Any] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def options(self, person: Person) -> dict[str, Any]:
        """The arguments for httpx."""
        if self.path.endswith("/login/swagger"):
            return {"data": {"username": person.user.username, "password": PASSWORD}}
        return {"headers": person.headers, **self.content}


def _request(text: str, *needs: str, status: int = 200, **content: Any) -> Request:
    method, path = text.split()
    return Request(method, path, frozenset(needs), status, content)


_NOTICE = {"title": "Title", "body": "Text", "expiresAt": "2099-01-01T00:00:00Z"}
_UPLOAD = {"filename": "a.txt", "contentType": "text/plain", "sizeBytes": 4}
_SCHEDULE = {"name": "x", "task": "system.ping", "kind": "interval", "every": 1, "period": "hours", "count": 1}

REQUESTS = [
    _request("GET /livez"),
    _request("GET /api/v1/auth/keys/public"),
    _request("POST /api/v1/auth/login/swagger", "redis", "postgres"),
    _request("GET /api/v1/auth/user/info", "redis", "postgres"),
    _request("GET /api/v1/auth/sessions", "redis"),
    _request("GET /api/v1/permissions/mine", "redis", "postgres"),
    _request("GET /api/v1/users", "redis", "postgres"),
    _request("GET /api/v1/roles", "redis", "postgres"),
    _request("GET /api/v1/notices", "redis", "postgres"),
    _request("POST /api/v1/notices", "redis", "postgres", status=201, json=_NOTICE),
    _request("GET /api/v1/schedules", "redis", "postgres"),
    _request("POST /api/v1/schedules/preview", "redis", "postgres", json=_SCHEDULE),  # it is audited, as all of POST
    _request("GET /api/v1/tasks", "redis"),
    _request("GET /api/v1/tasks/runs", "redis", "postgres"),
    _request("GET /api/v1/files", "redis", "postgres"),
    _request("POST /api/v1/files", "redis", "postgres", "s3", status=201, json=_UPLOAD),
    _request("GET /api/v1/audit-logs", "redis", "mongo"),
    _request("GET /readyz", "redis", "postgres"),
]


def tables() -> dict[str, list[str]]:
    """The rows of the tables in the document, by name."""
    names = " | ".join(name for name, _, _ in STORES.values())
    requests = [
        f"| `{request}` | {' | '.join('503' if store in request.needs else '' for store in STORES)} |"
        for request in REQUESTS
    ]
    stores = [f"| {name} | `{setting}` | {seconds} |" for name, setting, seconds in STORES.values()]
    faults = [
        f"| `{name}` | {text} | `{SIGNS[name][0]}` | {' or '.join(SIGNS[name][1]) or 'nothing'} |"
        for name, text in FAULTS.items()
    ]
    return {
        "requests": [f"| request | {names} |", "| --- " * (len(STORES) + 1) + "|", *requests],
        "stores": ["| store | waits for it end after | default, in seconds |", "| --- | --- | --- |", *stores],
        "faults": ["| fault | the store | metric | reason in the log |", "| --- | --- | --- | --- |", *faults],
    }


def updated(document: str) -> str:
    """The document with the current tables, each between `<!-- name -->` and `<!-- end -->`."""
    for name, rows in tables().items():
        before, start, rest = document.partition(f"<!-- {name} -->\n\n")
        _, end, after = rest.partition("\n\n<!-- end -->")
        document = before + start + "\n".join(rows) + end + after
    return document


if __name__ == "__main__":
    DOCUMENT.write_text(updated(DOCUMENT.read_text()))
