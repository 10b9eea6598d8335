"""The same list by hand: FastAPI and SQLAlchemy Core, without layers.

uvicorn scripts.bench.data_baseline:app
"""

import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import FastAPI, Query
from pydantic import BaseModel, Field
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import create_async_engine

from scripts.bench.items import Item

items = Item.__table__  # type: ignore[attr-defined]  # SQLModel's
engine = create_async_engine(os.environ["SQL_DATABASE_URL"], pool_size=20)
rows = engine.execution_options(isolation_level="AUTOCOMMIT")


class ItemQuery(BaseModel):
    """What may be asked."""

    page: int = Field(1, ge=1, le=1_000_000)
    pageSize: int = Field(20, ge=1, le=100)  # noqa: N815 - as it is on the wire
    sort: Literal["createTime", "-createTime"] = "createTime"
    status: str | None = Field(None, max_length=20)
    total: Literal["exact", "none"] = "exact"


class ItemRow(BaseModel):
    """One record."""

    id: UUID
    createTime: datetime  # noqa: N815 - as it is on the wire
    updateTime: datetime  # noqa: N815 - as it is on the wire
    name: str
    status: str
    number: int


class ItemPage(BaseModel):
    """One page."""

    page: int
    pageSize: int  # noqa: N815 - as it is on the wire
    total: int | None
    records: list[ItemRow]


class Answer(BaseModel):
    """Its envelope."""

    code: int = 200
    message: str = "Success."
    ts: int
    data: ItemPage


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Close the pool."""
    yield
    await engine.dispose()


app = FastAPI(
    lifespan=lifespan, telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False}
)


@app.get("/public")
async def public() -> str:
    """A sign of life."""
    return "pong"


@app.get("/items")
async def list_items(query: Annotated[ItemQuery, Query()]) -> Answer:
    """One page, by one statement, and one more where the total is wanted."""
    keys = [items.c.create_time, items.c.id]
    order = [key.desc() for key in keys] if query.sort.startswith("-") else keys
    statement = select(items).order_by(*order).limit(query.pageSize).offset((query.page - 1) * query.pageSize)
    counted = select(func.count()).select_from(items)
    if query.status is not None:
        statement = statement.where(items.c.status == query.status)
        counted = counted.where(items.c.status == query.status)
    async with rows.connect() as connection:
        found = (await connection.execute(statement)).all()
        total = None if query.total == "none" else (await connection.execute(counted)).scalar_one()
    records = [
        ItemRow(
            id=row.id,
            createTime=row.create_time,
            updateTime=row.update_time,
            name=row.name,
            status=row.status,
            number=row.number,
        )
        for row in found
    ]
    return Answer(
        ts=int(time.time()), data=ItemPage(page=query.page, pageSize=query.pageSize, total=total, records=records)
    )
