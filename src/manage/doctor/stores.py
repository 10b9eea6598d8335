import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import text

from src.core.config.base import StoreSettings
from src.core.preflight import ROOT, unusable
from src.manage.doctor.check import Examination
from src.manage.doctor.finding import CheckError
from src.manage.doctor.processes import find_api_processes
from src.utils.date import utc_now

OLDEST_POSTGRESQL = 14  # the first with `idle_session_timeout`
OLDEST_REDIS = 7  # the first with `EXPIREAT … GT`
MAXIMUM_CLOCK_SECONDS = 1.0
RESERVED_CONNECTIONS = 10
"""Connections left for commands, migrations and superusers."""
MINIMUM_FREE_BYTES = 1024**3
_TABLES_WITHOUT_RIGHTS = """
    SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND NOT (
        SELECT bool_and(has_table_privilege(quote_ident(schemaname) || '.' || quote_ident(tablename), needed))
        FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS needed
    )
"""


async def check_postgresql(examination: Examination) -> str:
    """Reachable, new enough, writable, with rights on every table."""
    resources = examination.resources
    url = resources.settings.sql.url
    with _reachable(resources.settings.sql, f"{url.host or 'localhost'}:{url.port or 5432}/{url.database}"):
        async with resources.engine.connect() as connection:
            version = (await connection.execute(text("SHOW server_version"))).scalar_one().split()[0]
            started = time.perf_counter()
            read_only = (await connection.execute(text("SHOW transaction_read_only"))).scalar_one()
            milliseconds = (time.perf_counter() - started) * 1000
            forbidden = (await connection.execute(text(_TABLES_WITHOUT_RIGHTS))).scalars().all()
    if int(version.partition(".")[0]) < OLDEST_POSTGRESQL:
        raise CheckError(f"The server is PostgreSQL {version}.", f"Use version {OLDEST_POSTGRESQL} or newer.")
    if read_only == "on":
        raise CheckError("The server is read-only.", "Name the primary in SQL_DATABASE_URL.")
    if forbidden:
        tables, user = ", ".join(sorted(forbidden)), url.username
        raise CheckError(f"{user} may not read and write {tables}.", f"Grant it, or migrate as {user}.")
    return f"Version {version}, {milliseconds:.1f} ms, writable."


async def check_connections(examination: Examination) -> str:
    """What the processes may open fits into `max_connections`; docs/operations.md has the sum."""
    resources = examination.resources
    if resources.settings.sql.pooler != "none":
        return "Behind a pooler."
    async with resources.engine.connect() as connection:
        query = "SELECT current_setting('max_connections')::int, (SELECT count(*) FROM pg_stat_activity)"
        maximum, used = (await connection.execute(text(query))).one()
    apis = len(await find_api_processes(resources.redis))
    workers = sum(worker.processes for worker in examination.workers.values())
    available = maximum - RESERVED_CONNECTIONS
    pools = 2 * (resources.settings.sql.pool_size + resources.settings.sql.max_overflow)
    needed = pools * (apis + workers) + 2
    said = f"{apis} API and {workers} worker processes and beat may open {needed} of {available} connections"
    if needed > available:
        fitting = max(1, (available - 2) // (2 * (apis + workers)))
        raise CheckError(f"{said}.", f"Set SQL_POOL_SIZE to {fitting} or less, or raise max_connections.")
    return f"{said}; {used} of {maximum} are open now."


async def check_redis(examination: Examination) -> str:
    """Reachable, new enough and writable, and never evicts keys."""
    resources = examination.resources
    with _reachable(resources.settings.redis, urlsplit(resources.settings.redis.url).netloc.rpartition("@")[2]):
        started = time.perf_counter()
        await resources.redis.set("health:write", "1", ex=60)
        milliseconds = (time.perf_counter() - started) * 1000
        info = await resources.redis.info()
    version = str(info["redis_version"])
    if int(version.partition(".")[0]) < OLDEST_REDIS:
        raise CheckError(f"The server is Redis {version}.", f"Use version {OLDEST_REDIS} or newer.")
    limit, policy = info.get("maxmemory", 0), info.get("maxmemory_policy", "noeviction")
    if limit and policy != "noeviction":
        raise CheckError(f"maxmemory-policy is {policy}: sessions and tasks would be evicted.", "Set it to noeviction.")
    if limit and info["used_memory"] > 0.9 * limit:
        raise CheckError(f"{info['used_memory'] / limit:.0%} of maxmemory are used.", "Raise maxmemory.")
    return f"Version {version}, {milliseconds:.1f} ms, writable."


async def check_mongodb(examination: Examination) -> str:
    """Reachable and writable."""
    resources = examination.resources
    with _reachable(resources.settings.mongo, urlsplit(resources.settings.mongo.url).netloc.rpartition("@")[2]):
        started = time.perf_counter()
        await resources.mongo.command("ping")
        milliseconds = (time.perf_counter() - started) * 1000
        version = (await resources.mongo.command("buildInfo"))["version"]
        await resources.mongo["doctor"].insert_one(document := {"time": utc_now()})
        await resources.mongo["doctor"].delete_one({"_id": document["_id"]})
    return f"Version {version}, {milliseconds:.1f} ms, writable."


async def check_s3(examination: Examination) -> str:
    """Reachable, with keys that it accepts."""
    resources = examination.resources
    with _reachable(resources.settings.s3, urlsplit(resources.settings.s3.endpoint).netloc):
        started = time.perf_counter()
        await resources.storage.check()
    return f"{(time.perf_counter() - started) * 1000:.1f} ms."


async def check_clocks(examination: Examination) -> str:
    """This machine's clock agrees with those of the stores, within a second."""
    resources = examination.resources

    async def postgresql() -> datetime:
        async with resources.engine.connect() as connection:
            clock: datetime = (await connection.execute(text("SELECT clock_timestamp()"))).scalar_one()
            return clock

    async def redis() -> datetime:
        seconds, microseconds = await resources.redis.time()
        return datetime.fromtimestamp(seconds + microseconds / 1e6, UTC)

    async def offset(read: Callable[[], Awaitable[datetime]]) -> float:
        await read()  # with a new connection it takes longer
        before = utc_now()
        clock = await read()
        return (clock - before - (utc_now() - before) / 2).total_seconds()

    offsets = dict(zip(("PostgreSQL", "Redis"), await asyncio.gather(offset(postgresql), offset(redis)), strict=True))
    said = ", ".join(f"{store} {seconds:+.2f} s" for store, seconds in offsets.items())
    if any(abs(seconds) > MAXIMUM_CLOCK_SECONDS for seconds in offsets.values()):
        raise CheckError(f"The clocks differ from this machine's: {said}.", "Synchronise them (NTP).")
    return f"{said}."


async def check_disk(_examination: Examination) -> str:
    """Space where the project and temporary files are."""
    free = {place: shutil.disk_usage(place).free for place in (ROOT, Path(tempfile.gettempdir()))}
    place = min(free, key=lambda place: free[place])
    said = f"{free[place] / 1024**3:.1f} GiB are free in {os.fspath(place)}."
    if free[place] < MINIMUM_FREE_BYTES:
        raise CheckError(said, "Remove logs or other files.")
    return said


@contextmanager
def _reachable(settings: StoreSettings, address: str) -> Iterator[None]:
    """Turn an error of a store's client into the line that commands print."""
    try:
        yield
    except Exception as error:
        raise unusable(settings.store, address, settings.url_setting, error) from error
