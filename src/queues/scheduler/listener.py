import asyncio
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

CHANNEL = "schedules"


class Changes:
    """Hears of new and changed schedules, by a connection that PostgreSQL notifies; elsewhere it hears nothing.

    Attributes:
        connection: For whoever listens to work on, too.
    """

    def __init__(self, connection: AsyncConnection, driver: Any) -> None:
        self.connection = connection
        self._driver = driver
        self._heard = asyncio.Event()

    @classmethod
    async def listen(cls, engine: AsyncEngine) -> "Changes":
        """Begin to hear."""
        connection = await engine.connect()
        driver: Any = (await connection.get_raw_connection()).driver_connection
        changes = cls(connection, driver)
        if engine.dialect.driver == "asyncpg":
            try:
                await driver.add_listener(CHANNEL, changes._hear)
            except BaseException:
                await changes.close()
                raise
            driver.add_termination_listener(changes._hear)
        return changes

    @property
    def is_lost(self) -> bool:
        """Whether the connection has ended, so that nothing is heard any more."""
        return getattr(self._driver, "is_closed", bool)()

    async def wait(self, seconds: float) -> bool:
        """Return when something has changed, or is lost, which is what it says, and after some time at the latest."""
        try:
            async with asyncio.timeout(seconds):
                await self._heard.wait()
        except TimeoutError:
            return False
        self._heard.clear()
        return True

    async def close(self) -> None:
        """End the connection."""
        await self.connection.invalidate()
        await self.connection.close()

    def _hear(self, *_notification: object) -> None:
        self._heard.set()
