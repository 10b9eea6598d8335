"""What the pages of the console take on the server, with a million runs, files and audit entries.

`python -m scripts.check.console_rows [ROWS]` fills stores of its own, then asks for what each page loads, with filters
and the next page: the best of five responses has to come within 300 ms. Beside other programs, look at the CPU time of
the process, which is printed as well. The audit log needs a real MongoDB: `MONGO_DATABASE_URL`. Not part of test.sh.
"""

import asyncio
import os
import random
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
from pymongo import MongoClient

from docs.client.python.api_client.session import Session, unwrap
from scripts.bench.servers import Server, serve
from scripts.check.instance import prepared

LIMIT_MS = 300
TRIES = 5
RARE = UUID(int=7)
BATCH = 10_000
# The embedded stand-in sorts in memory: it gets 10,000 entries, and is not judged.
MONGODB = os.environ.get("MONGO_DATABASE_URL")
START = datetime.now(UTC) - timedelta(days=30)
# Row `i`; ids of runs are digests, as those of schedules are. One row in 10,000 has rare values.
RUNS = """
INSERT INTO task_runs (id, create_time, update_time, name, state, args, kwargs, is_complete, attempts, queued_at,
    started_at, finished_at, worker, schedule_id, requested_by)
SELECT md5(i::text)::uuid, at, at, 'task' || i % 20, CASE WHEN i % 10000 = 0 THEN 'FAILURE' ELSE 'SUCCESS' END, '[]',
    '{}', true, 1, at, at, at + interval '1 second', 'celery@host', CASE WHEN i % 10000 = 0 THEN $2::uuid END, NULL
FROM (SELECT i, $3::timestamptz + i * interval '2 seconds' AS at FROM generate_series(1, $1::int) i) rows
"""
FILES = """
INSERT INTO files (id, create_time, update_time, owner_id, filename, content_type, size_bytes, status, upload_id,
    part_count, expires_at, leased_until)
SELECT lpad(to_hex(i), 32, '0')::uuid, at, at, NULL, md5(i::text) || '.txt', 'text/plain', i, 'ready', '', 1, at, at
FROM (SELECT i, $2::timestamptz + i * interval '2 seconds' AS at FROM generate_series(1, $1::int) i) rows
"""
PAGES: dict[str, list[str]] = {
    "overview": ["ops/overview"],
    "runs": [
        "tasks/runs?limit=50",
        *("tasks/runs?limit=50&name=task7", "tasks/runs?limit=50&state=FAILURE", "tasks/runs?limit=50&state=SUCCESS"),
        f"tasks/runs?limit=50&scheduleId={RARE}",
        "tasks/runs?limit=50&queuedAt[lt]={early}",
        "tasks/runs?limit=50&name=task7&state=FAILURE",
        "tasks/runs?limit=50&name=nowhere&queuedAt[gte]={early}",
    ],
    "dead letters": ["tasks/dead-letters?pageSize=50", "tasks/malformed"],
    "schedules": ["schedules?pageSize=50", "tasks"],
    "notices": ["notices"],
    "files": [
        *("files?pageSize=50", "files?pageSize=50&page=200", "files?pageSize=50&keyword=abcd"),
        *("files?pageSize=50&keyword=.txt", "files?pageSize=50&keyword=nowhere"),
    ],
    "users": ["users?pageSize=50"],
    "roles": ["roles?pageSize=50", "router/backend"],
    "audit log": [
        *("audit-logs?limit=50", "audit-logs?limit=50&result=failure", "audit-logs?limit=50&action=POST:/api/v1/users"),
        *("audit-logs?limit=50&result=success", f"audit-logs?limit=50&actorId={RARE}"),
        *("audit-logs?limit=50&requestId=7", "audit-logs?limit=50&action=POST:/api/v1/users&result=success"),
    ],
    "clients": ["ops/clients"],
    "account": ["auth/sessions", "auth/user/info", "permissions/mine"],
}


async def fill_sql(url: str, rows: int) -> None:
    """Runs and files."""
    connection = await asyncpg.connect(url)
    await connection.execute(RUNS, rows, RARE, START)
    await connection.execute(FILES, rows, START)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


def fill_audit(url: str, rows: int) -> None:
    """Audit entries."""
    client: MongoClient[dict[str, Any]] = MongoClient(url, uuidRepresentation="standard")
    collection = client.get_default_database()["audit_logs"]
    for start in range(0, rows, BATCH):
        collection.insert_many([*map(_entry, range(start, min(start + BATCH, rows)))], ordered=False)
    client.close()


def _entry(number: int) -> dict[str, Any]:
    at = START + timedelta(seconds=2 * number)
    rare = number % 10_000 == 0
    return {
        "_id": UUID(int=(int(at.timestamp() * 1000) << 80) | number),
        "time": at,
        "action": "POST:/api/v1/users" if rare else "POST:/api/v1/tasks/runs/retry",
        "actor_id": RARE if rare else UUID(int=random.randrange(10, 110)),  # noqa: S311 - no secret
        "result": "failure" if rare else "success",
        "status": 403 if rare else 200,
        "error": None,
        "target": {},
        "details": {},
        "address": "192.0.2.1",
        "user_agent": "check",
        "request_id": str(number),
        "times": 1,
    }


async def measure(server: Server) -> list[str]:
    """Print what each request takes; returns those that take too long."""
    slow = []
    early = (START + timedelta(minutes=10)).strftime("%Y-%m-%dT%H:%M:%SZ")
    async with Session(f"http://127.0.0.1:{server.port}") as session:
        await session.login("admin", "123456")
        for page, paths in PAGES.items():
            for path in (one.format(early=early) for one in paths):
                ms, cpu, records = await best(session, server, path)
                deep = f"{path}&cursor={records['nextCursor']}" if records.get("nextCursor") else ""
                print(f"{page:<13} {path:<70} {ms:7.1f} ms {cpu:7.1f} ms of CPU")
                if deep:
                    further, cpu, _ = await best(session, server, deep)
                    print(f"{'':<13} {'… the next page':<70} {further:7.1f} ms {cpu:7.1f} ms of CPU")
                    ms = max(ms, further)
                is_judged = MONGODB or page != "audit log"
                slow += [f"{path}: {ms:.0f} ms"] if is_judged and ms > LIMIT_MS else []
    return slow


async def best(session: Session, server: Server, path: str) -> tuple[float, float, dict[str, Any]]:
    """The shortest of some responses in milliseconds, the process's CPU time for one, and what the last one has."""
    times, data, before = [], None, server.cpu_seconds
    for _ in range(TRIES):
        started = time.perf_counter()
        data = unwrap(await session.http.get(f"/api/v1/{path}"))
        times.append((time.perf_counter() - started) * 1000)
    cpu = (server.cpu_seconds - before) * 1000 / TRIES
    return min(times), cpu, data if isinstance(data, dict) else {}


def main(rows: str = "1000000") -> str | None:
    """Returns what took too long, for `sys.exit`."""
    with prepared(RATE_LIMIT_FACTOR="0") as environment:
        started = time.monotonic()
        asyncio.run(fill_sql(environment["SQL_DATABASE_URL"].replace("+asyncpg", ""), int(rows)))
        print(f"Runs and files after {time.monotonic() - started:.0f} s.", flush=True)
        fill_audit(environment["MONGO_DATABASE_URL"], int(rows) if MONGODB else BATCH)
        print(f"Audit entries after {time.monotonic() - started:.0f} s.", flush=True)
        with serve("src.main:app", "/livez", environment) as server:
            return "\n".join(asyncio.run(measure(server))) or None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
