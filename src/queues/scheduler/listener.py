import asyncio
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

CHANNEL = "schedules"


class ScheduleListener:
    """Receives PostgreSQL's notifications (LISTEN/NOTIFY) of new and changed schedules; on other databases, nothing.

    Attributes:
        connection: The connection that listens; it can be used for statements as well.
    """

    def __init__(self, connection: AsyncConnection, driver: Any) -> None:
        self.connection = connection
        self._driver = driver
        self._notified = asyncio.Event()

    @classmethod
    async def open(cls, engine: AsyncEngine) -> "ScheduleListener":
        """Connect and start to listen."""
        connection = await engine.connect()
        driver: Any = (await connection.get_raw_connection()).driver_connection
        listener = cls(connection, driver)
        if engine.dialect.driver == "asyncpg":
            try:
                await driver.add_listener(CHANNEL, listener._notify)
            except BaseException:
                await listener.close()
                raise
            driver.add_termination_listener(listener._notify)
        return listener

    @property
    def is_lost(self) -> bool:
        """Whether the connection has ended."""
        return getattr(self._driver, "is_closed", bool)()

    async def wait(self, seconds: float) -> bool:
        """Wait for a notification or the end of the connection; returns False after a timeout."""
        try:
            async with asyncio.timeout(seconds):
                await self._notified.wait()
        except TimeoutError:
            return False
        self._notified.clear()
        return True

    async def close(self) -> None:
        """Close the connection."""
        await self.connection.invalidate()
        await self.connection.close()

    def _notify(self, *_notification: object) -> None:
        self._notified.set()
