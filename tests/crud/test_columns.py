"""Tables whose columns are more than fields: other names, and values that the database fills in."""

from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from sqlalchemy import Column, Computed, DateTime, Identity, Integer, Numeric, String, func, text
from sqlmodel import Field

from src.core.unit_of_work import UnitOfWork
from src.crud.crud_sqlmodel import BaseSQLModelCRUD
from src.models.base import BaseModel
from tests.support.tables import create_tables


def _label(context: Any) -> str:
    return str(context.get_current_parameters()["label"])


class Entry(BaseModel, table=True):
    __tablename__ = "test_lines"

    number: int | None = Field(default=None, sa_column=Column("no", Integer, Identity(always=True), unique=True))
    name: str = Field(sa_column=Column("label", String, unique=True))
    price: Decimal = Field(default=Decimal(1), sa_column=Column(Numeric(10, 2), nullable=False))
    total: Decimal | None = Field(default=None, sa_column=Column(Numeric(10, 2), Computed("price * 2", persisted=True)))
    state: str | None = Field(default=None, sa_column=Column(String, server_default="new", nullable=False))
    code: str | None = Field(default=None, sa_column=Column(String, default=_label))
    seen: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True), server_default=func.now()))


class EntryCRUD(BaseSQLModelCRUD[Entry]):
    model: ClassVar[type[Entry]] = Entry


@pytest.fixture
async def lines(uow: UnitOfWork) -> EntryCRUD:
    await create_tables(uow.session, Entry)
    return EntryCRUD(uow.session)


def shown(line: Entry) -> tuple[Any, ...]:
    return line.name, line.price, line.total, line.state, line.code, line.seen is not None, line.number is not None


ROWS: list[tuple[list[dict[str, Any]], list[tuple[Any, ...]]]] = [
    ([{"name": "a"}], [("a", 1, 2, "new", "a", True, True)]),
    ([{"name": "a", "state": None}], [("a", 1, 2, "new", "a", True, True)]),
    (
        [{"name": "a", "state": "old", "price": Decimal(3)}, {"name": "b", "code": "x"}],
        [("a", 3, 6, "old", "a", True, True), ("b", 1, 2, "new", "x", True, True)],
    ),
    (
        [{"name": "a", "code": "x"}, {"name": "b", "code": "y"}],
        [("a", 1, 2, "new", "x", True, True), ("b", 1, 2, "new", "y", True, True)],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "stored"), ROWS)
@pytest.mark.parametrize("verb", ["create", "create_many", "upsert"])
async def test_every_way_to_create_a_row_stores_the_same(
    lines: EntryCRUD, verb: str, rows: list[dict[str, Any]], stored: list[tuple[Any, ...]]
) -> None:
    if verb == "create_many":
        await lines.create_many(rows)
    for row in rows if verb != "create_many" else []:
        await (lines.create(row) if verb == "create" else lines.upsert(row, by=["name"]))
    lines.session.expire_all()
    assert [shown(line) for line in await lines.list(order=("name",))] == stored


async def test_the_ids_of_many_rows_are_those_stored(lines: EntryCRUD) -> None:
    keys = await lines.create_many([{"name": "a"}, {"name": "b", "state": "old"}])
    assert [line.id for line in await lines.list(order=("name",))] == list(keys)


class TestAFieldWithAnotherColumnName:
    @pytest.fixture
    async def line(self, lines: EntryCRUD) -> Entry:
        return await lines.create({"name": "a"})

    async def test_filters_sorts_and_projects(self, lines: EntryCRUD, line: Entry) -> None:
        assert [row.name for row in await lines.list({"name__starts": "a"}, order=("-name",))] == ["a"]

    async def test_is_changed(self, lines: EntryCRUD, line: Entry) -> None:
        await lines.update(line, {"name": "b"})
        assert await lines.update_many({"name": "b"}, {"name": "c"}) == 1
        connection = await lines.session.connection()
        assert (await connection.execute(text("SELECT label FROM test_lines"))).scalar_one() == "c"

    async def test_is_the_key_of_an_upsert(self, lines: EntryCRUD, line: Entry) -> None:
        changed = await lines.upsert({"name": "a", "price": Decimal(5)}, by=["name"])
        assert (changed.id, changed.price) == (line.id, Decimal(5))
