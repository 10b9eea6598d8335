"""Checks whether the stores can serve: for `/readyz`, and to find the end of an outage."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from prometheus_client import Histogram
from sqlalchemy import text
from sqlalchemy.ext.asyncio import async_sessionmaker
from sqlmodel.ext.asyncio.session import AsyncSession

from src.core.resources import Resources
from src.core.stores.errors import summary

TIMEOUT_SECONDS = 2.5
# Without one of these, most requests fail; without another store, those that use it.
REQUIRED = {"postgres", "redis", "sql:replica"}

SECONDS = Histogram(
    "store_check_seconds",
    "Duration of the checks of a store: by `/readyz` and each scrape of the API, every 15 seconds in workers.",
    ["store"],
    buckets=(0.001, 0.005, 0.025, 0.1, 0.5, 2.5),
)

Check = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class StoreHealth:
    """The result of a check; `reason` is why the store is unavailable, empty if it is not."""

    milliseconds: float
    reason: str


def store_checks(resources: Resources) -> Mapping[str, Check]:
    """A check for each store, by name, which tries what requests need: a write in Redis, a writable PostgreSQL."""

    def sql(sessions: async_sessionmaker[AsyncSession], *, writable: bool = False) -> Check:
        async def check() -> None:
            async with sessions() as session:
                query = text("SHOW transaction_read_only" if writable else "SELECT 1")
                if (await (await session.connection()).execute(query)).scalar_one() == "on":
                    raise ConnectionError("PostgreSQL is read-only.")

        return check

    async def redis() -> None:
        await resources.redis.set("health:write", "1", ex=60)
        if not resources.events.is_listening:
            raise ConnectionError("Not subscribed to the events of other processes.")

    async def mongo() -> None:
        await resources.mongo.command("ping")

    checks = {"postgres": sql(resources.sessions, writable=True)}
    checks |= {f"sql:{name}": sql(database.sessions) for name, database in resources.databases.items()}
    if resources.settings.sql.replica_url is not None:
        checks["sql:replica"] = sql(resources.read_sessions)
    return {**checks, "redis": redis, "mongo": mongo, "s3": resources.storage.check}


async def check_stores(resources: Resources) -> dict[str, StoreHealth]:
    """Check all stores at once."""
    checks = store_checks(resources)
    health = dict(zip(checks, await asyncio.gather(*map(check_store, checks.values())), strict=True))
    for name, store in health.items():
        SECONDS.labels(name).observe(store.milliseconds / 1000)
    return health


async def check_store(check: Check) -> StoreHealth:
    """Run a check; a store that does not respond within 2.5 seconds is unavailable."""
    started, reason = time.perf_counter(), ""
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await check()
    except Exception as error:
        reason = summary(error)
    return StoreHealth(round((time.perf_counter() - started) * 1000, 1), reason)
