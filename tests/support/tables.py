"""Tables of tests."""

from typing import Any

from sqlalchemy import Table
from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from src import models


async def create_tables(session: AsyncSession, *models: Any) -> None:
    """Create the tables of these classes, in the transaction of the session."""
    tables = [model.__table__ for model in models]
    await session.run_sync(lambda sync: SQLModel.metadata.create_all(sync.connection(), tables=tables))


def product_tables() -> dict[str, Table]:
    """The tables of the product, without those of tests that ran before."""
    names = {getattr(models, name).__tablename__ for name in models.__all__ if name != "DOCUMENTS"}
    return {name: table for name, table in SQLModel.metadata.tables.items() if name in names}
