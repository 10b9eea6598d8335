import asyncio
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

CHANNEL = "schedules"


class Changes:
    """Hears of new and changed schedules, by a connection that PostgreSQL notifies; elsewhere it hears nothing."""

    def __init__(self, connection: AsyncConnection, driver: Any) -> None:
        self._connection = connection
        self._driver = driver
        self._heard = asyncio.Event()

    @classmethod
    async def listen(cls, engine: AsyncEngine) -> "Changes":
        """Begin to hear."""
        connection = await engine.connect()
        connection = await connection.execution_options(isolation_level="AUTOCOMMIT")
        driver = (await connection.get_raw_connection()).driver_connection
        changes = cls(connection, driver)
        if engine.dialect.driver == "asyncpg":
            assert driver is not None  # noqa: S101 - a connection that is in use has one
            await driver.add_listener(CHANNEL, changes._hear)
            driver.add_termination_listener(changes._hear)
        return changes

    @property
    def is_lost(self) -> bool:
        """Whether the connection has ended, so that nothing is heard any more."""
        return getattr(self._driver, "is_closed", bool)()

    async def wait(self, seconds: float) -> None:
        """Return when something has changed, or is lost, and after some time at the latest."""
        try:
            async with asyncio.timeout(seconds):
                await self._heard.wait()
        except TimeoutError:
            return
        self._heard.clear()

    async def close(self) -> None:
        """End the connection, which is of no use to others."""
        await self._connection.invalidate()
        await self._connection.close()

    def _hear(self, *_notification: object) -> None:
        self._heard.set()
