import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import make_url, text

from src.core.resources import Resources
from tests.support.served import Served


@asynccontextmanager
async def read_only_postgres(served: Served, resources: Resources) -> AsyncIterator[None]:
    """The database of these tests is read-only for new connections, and those of the served process are new."""
    name = make_url(os.environ["SQL_DATABASE_URL"]).database
    change = f'ALTER DATABASE "{name}" %s default_transaction_read_only'

    async def reconnect() -> None:
        served.stores["postgres"].refuse()
        await served.stores["postgres"].heal()

    async with resources.engine.connect() as connection:
        await connection.execute(text(change % "SET" + " = on"))
        await connection.commit()
        try:
            await reconnect()
            yield
        finally:
            await connection.execute(text(change % "RESET"))
            await connection.commit()
            await reconnect()
