"""Measures what `capacity` cannot simulate: bytes of rows, the cost of pruning, the CPU of requests."""

import asyncio
import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from scripts.bench.servers import serve, stores

if TYPE_CHECKING:
    from asyncpg import Connection

    from scripts.bench.capacity import Profile

ROWS = 100_000
BATCH = 1000
SECONDS = 4
_ID = "(lpad(to_hex(n), 12, '0') || '70008000000000000000')::uuid"  # in the order of time, as UUIDv7
_OLD = "now() - interval '31 days' + n * interval '1 millisecond'"
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "task_runs": {
        "name": "'notices.announce'",
        "state": "'SUCCESS'",
        "args": "'[]'",
        "kwargs": "jsonb_build_object('notice_id', gen_random_uuid())",
        "is_complete": "true",
        "attempts": "1",
        "queued_at": _OLD,
        "started_at": _OLD,
        "finished_at": _OLD,
        "queue": "'celery'",
        "worker": "'celery@worker-7f9c'",
        "requested_by": "gen_random_uuid()",
        "request_id": "gen_random_uuid()::text",
    },
    "idempotency_keys": {"key": "gen_random_uuid()::text"},
    "outbox": {
        "topic": "'audit'",
        "payload": "jsonb_build_object('action', 'PATCH:/api/v1/users/{userId}', 'actor_id', gen_random_uuid(),"
        " 'result', 'success', 'request_id', gen_random_uuid(), 'user_agent', repeat('agent ', 12))",
    },
    "files": {
        "filename": "'report ' || n || '.pdf'",
        "content_type": "'application/pdf'",
        "size_bytes": "n",
        "checksum_sha256": "md5(n::text) || md5(n::text)",
        "status": "'ready'",
        "upload_id": "gen_random_uuid()::text",
        "part_count": "1",
        "expires_at": "now()",
        "leased_until": "now()",
    },
}
"""SQL of typical values, by table and column; `n` is the number of the row."""


async def _fill(connection: "Connection", table: str, first: int, last: int) -> None:
    columns = {"id": _ID, "create_time": _OLD, "update_time": _OLD, **COLUMNS[table]}
    names, values = ", ".join(columns), ", ".join(columns.values())
    statement = f"INSERT INTO {table} ({names}) SELECT {values} FROM generate_series($1::bigint, $2) n"  # noqa: S608 - ours
    await connection.execute(statement, first, last)
    await connection.execute(f"VACUUM ANALYZE {table}")


def measure(profiles: "Sequence[Profile]", *, tables: bool, requests: bool) -> None:
    """Print both, or one of them."""
    with stores():
        if tables:
            asyncio.run(_measure_tables(profiles))
        if requests:
            _measure_requests()


async def _measure_tables(profiles: "Sequence[Profile]") -> None:
    connection = await _connect()
    sizes = {}
    for table in COLUMNS:
        await _fill(connection, table, 1, ROWS)
        sizes[table] = await connection.fetchval("SELECT pg_total_relation_size($1::regclass)", table) / ROWS
        print(f"{table}: {sizes[table]:.0f} bytes a row, with its indexes")
    print("Pruning a batch of 1,000 rows, of each number of rows, ms:")
    for table in ("task_runs", "idempotency_keys"):
        before = await _prune(connection, table)
        await _fill(connection, table, ROWS + 1, 10 * ROWS)
        after = await _prune(connection, table)
        print(f"  {table}: {ROWS:,}: {before:.1f}; {10 * ROWS:,}: {after:.1f}")
    await connection.close()
    sizes["audit_logs"] = _size_of_audit()
    print(f"audit_logs: {sizes['audit_logs']:.0f} bytes a document, without its indexes")
    for profile in profiles:
        _print_year(profile, sizes)


async def _prune(connection: "Connection", table: str) -> float:
    """Milliseconds of deleting a batch as the task `tasks.prune` does, the median of five."""
    from src.core.config import settings
    from src.core.stores.sql import SQLDatabase
    from src.crud.idempotency_key import IdempotencyKeyCRUD
    from src.crud.task_run import TaskRunCRUD
    from src.utils.date import utc_now

    database = SQLDatabase(settings.sql, settings.sql.url)
    seconds = []
    for _ in range(5):
        async with database.sessions() as session:
            crud = TaskRunCRUD(session) if table == "task_runs" else IdempotencyKeyCRUD(session)
            started = time.perf_counter()
            removed = await crud.prune(utc_now(), BATCH)
            await session.commit()
            seconds.append(time.perf_counter() - started)
            if removed != BATCH:
                raise RuntimeError(f"{removed} rows of {table} were pruned.")
    await database.engine.dispose()
    return sorted(seconds)[2] * 1000


def _size_of_audit() -> int:
    """Bytes of an audit entry as it is sent to MongoDB; indexes add to it, compression takes away."""
    from uuid import uuid4

    from bson import encode
    from bson.binary import UuidRepresentation
    from bson.codec_options import CodecOptions

    from src.models.audit import AuditLog
    from src.utils.date import utc_now

    agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"
    fields = {"actor_id": uuid4(), "target": {"userId": str(uuid4())}, "details": {"fields": ["name", "email"]}}
    fields |= {"address": "192.0.2.1", "user_agent": agent, "request_id": str(uuid4())}
    entry = AuditLog.model_construct(
        id=uuid4(), time=utc_now(), action="PATCH:/api/v1/users/{userId}", result="success", status=200, **fields
    )
    options: CodecOptions[dict[str, object]] = CodecOptions(uuid_representation=UuidRepresentation.STANDARD)
    return len(encode(entry.model_dump(), codec_options=options))


def _print_year(profile: "Profile", sizes: Mapping[str, float]) -> None:
    """What a year of these users leaves, with the default retentions."""
    kept = {
        "task_runs": profile.active * profile.runs_a_day * 30,
        "idempotency_keys": profile.active * profile.runs_a_day * 30,
        "audit_logs": profile.active * profile.changes_a_day * 365,
        "files": profile.active * profile.files_a_day * 365,
    }
    print(f"{profile.users:,} users, after a year:")
    for table, rows in kept.items():
        print(f"  {table}: {rows:,.0f} rows, {rows * sizes[table] / 1024**3:,.2f} GiB")


def _measure_requests() -> None:
    from scripts.bench.auth import measure as cost
    from scripts.bench.load import get
    from scripts.bench.people import create

    caller = asyncio.run(create("capacity", 185))
    asyncio.run(_make_admin(caller.username))
    settings = {"RATE_LIMIT_FACTOR": "0", "LOG_LEVEL": "WARNING"}
    with serve("src.main:app", "/livez", os.environ | settings) as server:
        for path in ("/livez", "/api/v1/auth/user/info", "/api/v1/notices", "/api/v1/tasks/runs"):
            _, microseconds = cost(server, get(path, **caller.headers), SECONDS)
            print(f"{path}: {microseconds / 1000:.2f} ms of CPU a request")


async def _make_admin(username: str) -> None:
    connection = await _connect()
    await connection.execute("UPDATE users SET is_admin = true WHERE username = $1", username)
    await connection.close()


async def _connect() -> "Connection":
    import asyncpg

    from src.core.config import settings

    return await asyncpg.connect(settings.sql.url.set(drivername="postgresql").render_as_string(hide_password=False))
