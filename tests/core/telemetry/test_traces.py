"""Traces of real processes: an API and a worker that send to a collector."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from src import NAME
from src.utils.date import utc_now
from tests.queues.conftest import running
from tests.support.collector import Collector, collecting
from tests.support.people import Person
from tests.support.pools import ASYNCIO
from tests.support.served import Served, serve
from tests.support.waiting import eventually

pytestmark = [pytest.mark.process, pytest.mark.worker]

SECRET = "no-search-is-in-a-trace"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


@pytest.fixture
async def served_process(tmp_path: Path, collector: Collector) -> AsyncIterator[Served]:
    async with serve(tmp_path / "output", **collector.environment) as served:
        yield served


def lines(path: Path, trace: str) -> list[dict[str, Any]]:
    """The log lines of a trace."""
    entries = (json.loads(line) for line in path.read_text().splitlines() if line.startswith("{"))
    return [entry for entry in entries if entry.get("trace_id") == trace]


API, WORKER = f"{NAME}-api", f"{NAME}-worker"


async def test_one_trace_joins_request_outbox_task_emit_and_stores(
    collector: Collector, served: Served, served_admin: Person, tmp_path: Path
) -> None:
    client, headers = served.client, served_admin.headers

    async def trace_of(name: str, span: str) -> str:
        """The trace of a request, once it has a span."""
        return await eventually(
            lambda: next((each.trace for each in collector.named(name) if collector.has(each.trace, span)), "")
        )

    with running(tmp_path) as run:
        worker = ASYNCIO.start(run, "celery", **collector.environment)
        worker.wait_for("ready.")
        notice = {"title": "a", "body": "b", "expiresAt": (utc_now() + timedelta(days=1)).isoformat()}
        response = await client.post("/api/v1/notices", json=notice, headers=headers)
        assert response.status_code == 201
        trace = await trace_of("POST /api/v1/notices", "run/notices.announce")
        written = await eventually(lambda: lines(worker.log, trace))
        names = collector.names(trace)
    assert {"EVALSHA", "INSERT", "apply_async/notices.announce", "DELETE"} <= names[API]  # the outbox
    assert {"run/notices.announce", "SELECT", "emit notice.published"} <= names[WORKER]
    (line,) = [line for line in lines(served.output, trace) if line["event"] == "request"]
    assert line["request_id"] == response.headers["X-Request-ID"]
    assert {entry["request_id"] for entry in written} == {line["request_id"]}

    upload = {"filename": "a.txt", "contentType": "text/plain", "sizeBytes": 1}
    assert (await client.post("/api/v1/files", json=upload, headers=headers)).status_code == 201
    assert (await client.get(f"/api/v1/audit-logs?action={SECRET}", headers=headers)).status_code == 200
    files, logs = await trace_of("POST /api/v1/files", "POST"), await trace_of("GET /api/v1/audit-logs", ".find")
    assert len({trace, files, logs}) == 3
    assert SECRET not in str(collector.spans)
    await client.get("/livez")
    assert not collector.named("GET /livez")
