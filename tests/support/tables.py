"""Tables of tests."""

from typing import Any

from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession


async def create_tables(session: AsyncSession, *models: Any) -> None:
    """Create the tables of these classes, in the transaction of the session."""
    tables = [model.__table__ for model in models]
    await session.run_sync(lambda sync: SQLModel.metadata.create_all(sync.connection(), tables=tables))
