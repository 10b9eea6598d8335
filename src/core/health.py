import asyncio
from collections.abc import Awaitable, Callable

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import async_sessionmaker
from sqlmodel.ext.asyncio.session import AsyncSession

from src.core.resources import Resources

log = structlog.get_logger(__name__)

_TIMEOUT_SECONDS = 2.5


async def check_stores(resources: Resources) -> dict[str, bool]:
    """Ping every store, and return which of them respond within 2.5 seconds."""

    def sql(sessions: async_sessionmaker[AsyncSession]) -> Callable[[], Awaitable[None]]:
        async def check() -> None:
            async with sessions() as session:
                await (await session.connection()).execute(text("SELECT 1"))

        return check

    async def redis() -> None:
        await resources.redis.ping()
        if not resources.events.is_listening:
            raise ConnectionError("Not subscribed to the events of other processes.")

    async def mongo() -> None:
        await resources.mongo.command("ping")

    async def s3() -> None:
        await resources.storage.check()

    named = {f"sql:{name}": sql(database.sessions) for name, database in resources.databases.items()}
    if resources.settings.sql.replica_url is not None:
        named["sql:replica"] = sql(resources.read_sessions)
    checks = {"postgres": sql(resources.sessions), **named, "redis": redis, "mongo": mongo, "s3": s3}
    alive = await asyncio.gather(*(_responds(name, check) for name, check in checks.items()))
    return dict(zip(checks, alive, strict=True))


async def _responds(name: str, check: Callable[[], Awaitable[None]]) -> bool:
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            await check()
    except Exception as error:
        log.warning("store_down", store=name, reason=type(error).__name__)
        return False
    return True
