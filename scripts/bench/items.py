"""A table of the benchmarks' own: large, and sorted and filtered in every way that a resource may be."""

from typing import Annotated, ClassVar

from pydantic import Field as Constraint
from sqlalchemy import Index, Table, Text, text
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel import Field, col

from src.crud.crud_sqlmodel import BaseSQLModelCRUD
from src.models.base import BaseModel
from src.schemas.base import SafeStr as Words
from src.schemas.list_params import CursorQuery, PageQuery, SortBy
from src.schemas.response import BaseResponse


class Item(BaseModel, table=True):
    """One of many."""

    __tablename__ = "bench_items"

    name: str = Field(sa_type=Text)
    status: str = Field(sa_type=Text)
    number: int


Index("ix_bench_items_create_time_id", col(Item.create_time), col(Item.id))
Index("ix_bench_items_mixed", col(Item.number), col(Item.create_time).desc(), col(Item.id).desc())
Index("ix_bench_items_status", col(Item.status), col(Item.create_time), col(Item.id))


table: Table = Item.__table__  # type: ignore[attr-defined]  # SQLModel's

FILL = """
INSERT INTO bench_items (id, create_time, update_time, name, status, number)
SELECT gen_random_uuid(), now() - n * interval '1 second', now(), 'item ' || n, 'status ' || n % 4, n % 1000
FROM generate_series(1, :rows) AS n
"""


class ItemCRUD(BaseSQLModelCRUD[Item]):
    """Items."""

    model: ClassVar[type[Item]] = Item


Sort = Annotated[Words, SortBy("create_time", "number", "name")]


class ItemPage(PageQuery):
    """Which page of the items."""

    sort: Sort = ""
    status: Annotated[Words, Constraint(max_length=20)] | None = None


class ItemPart(CursorQuery):
    """Which part of the items."""

    sort: Sort = ""


class ItemResponse(BaseResponse):
    """An item on the wire."""

    name: str
    status: str
    number: int


async def fill(engine: AsyncEngine, rows: int) -> None:
    """Make the table anew, with so many rows."""
    async with engine.begin() as connection:
        await connection.run_sync(lambda sync: table.drop(sync, checkfirst=True))
        await connection.run_sync(table.create)
        await connection.execute(text(FILL), {"rows": rows})
    async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        await connection.execute(text("VACUUM ANALYZE bench_items"))
