"""Verbs for many rows at once, and groups of rows: the same tests for SQL and MongoDB."""

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from sqlalchemy import ForeignKey, Numeric, event
from sqlmodel import Field

from src.core.exceptions import ConflictError, NotFoundError
from src.core.list_filters import QuerySpec
from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.crud.base import BaseCRUD
from src.crud.crud_beanie import BaseBeanieCRUD
from src.crud.crud_sqlmodel import BaseSQLModelCRUD
from src.models.base import BaseModel, BaseTable
from src.models.document import BaseDocument
from tests.crud.conftest import PartOf
from tests.support.tables import create_tables

Item = BaseCRUD[Any]


class TestUpsertMany:
    async def test_inserts_and_updates(self, items: Item) -> None:
        old = await items.create({"name": "a", "number": 1, "maybe": 7})
        assert await items.upsert_many([{"name": name, "number": 2} for name in "ab"], by=["name"]) == 2
        a, b = await items.list(order=("name",))
        assert (a.id, a.number, a.maybe, a.version, a.create_time) == (old.id, 2, 7, 2, old.create_time)
        assert (b.number, b.maybe, b.version, b.update_time - b.create_time) == (2, None, 1, timedelta())

    async def test_returns_the_rows_in_order(self, items: Item) -> None:
        await items.create({"name": "a", "maybe": 7})
        rows = await items.returning.upsert_many([{"name": name, "number": 2} for name in "ba"], by=["name"])
        assert [(row.name, row.number, row.maybe, row.version) for row in rows] == [("b", 2, None, 1), ("a", 2, 7, 2)]

    async def test_is_seen_in_rows_that_were_read(self, sql_items: Item) -> None:
        row, other = await sql_items.create({"name": "a", "number": 1}), await sql_items.create({"name": "c"})
        await sql_items.upsert_many([{"name": "a", "number": 2}, {"name": "b", "number": 3}], by=["name"])
        await sql_items.update_each([{"id": other.id, "number": 5}])
        assert (row.number, row.version, other.number, other.version) == (2, 2, 5, 2)

    async def test_of_one_key_twice_takes_the_last(self, items: Item) -> None:
        assert await items.upsert_many([{"name": "a", "number": number} for number in (1, 2)], by=["name"]) == 1
        assert [row.number for row in await items.list()] == [2]

    async def test_restores_deleted_rows_if_the_key_is_theirs(self, items: Item) -> None:
        row = await items.create({"name": "a"})
        await items.delete(row)
        await items.upsert_many([{"name": "a", "number": 2}], by=["name"])
        assert [(found.id, found.number) for found in await items.list()] == [(row.id, 2)]

    async def test_needs_the_same_fields_in_all_rows(self, items: Item) -> None:
        with pytest.raises(ValueError, match="same fields"):
            await items.upsert_many([{"name": "a"}, {"name": "b", "number": 1}], by=["name"])
        with pytest.raises(ValueError, match="same fields"):
            await items.upsert_many([{"number": 1}], by=["name"])
        assert await items.upsert_many([], by=["name"]) == 0

    async def test_of_any_number_of_rows_stays_within_the_limit_of_a_statement(
        self, sql_items: Item, uow: UnitOfWork, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        limit, sent = 24, []
        monkeypatch.setattr("src.crud.query.parts.MAXIMUM_PARAMETERS", limit)

        def executed(_connection: object, _cursor: object, _statement: str, parameters: Any, *_: object) -> None:
            sent.append(len(parameters))

        engine = uow.session.get_bind()
        event.listen(engine, "before_cursor_execute", executed)
        try:
            rows = [{"name": str(number), "number": 1} for number in range(limit + 6)]
            stored = await sql_items.returning.upsert_many(rows, by=["name"])
            await sql_items.upsert_many([row | {"number": 2} for row in rows], by=["name"])
        finally:
            event.remove(engine, "before_cursor_execute", executed)
        assert ({row.number for row in stored}, [row.name for row in stored]) == ({2}, [row["name"] for row in rows])
        assert max(sent) <= limit + 1  # the time of the change


class TestUpdateEach:
    async def test_gives_each_row_its_own_values(self, ten: Item) -> None:
        rows = await ten.list({"number": 1})
        changes = [{"id": row.id, "maybe": index, "note": {"n": index}} for index, row in enumerate(rows, 10)]
        assert await ten.update_each([*changes, {"id": uuid4(), "maybe": 0, "note": None}]) == 3
        found = await ten.list({"number": 1})
        assert [(row.maybe, row.note, row.version) for row in found] == [(n, {"n": n}, 2) for n in (10, 11, 12)]
        assert await ten.count({"maybe__gt": 9}) == 3

    async def test_finds_rows_by_other_fields(self, items: Item) -> None:
        await items.create_many([{"name": "a"}, {"name": "b", "maybe": 3}])
        assert await items.update_each([{"name": "a", "maybe": 1}, {"name": "b", "maybe": None}], by=["name"]) == 2
        assert [row.maybe for row in await items.list(order=("name",))] == [1, None]

    async def test_leaves_deleted_rows(self, items: Item) -> None:
        row = await items.create({"name": "a"})
        await items.delete(row)
        assert await items.update_each([{"id": row.id, "number": 1}]) == 0

    async def test_that_become_equal_is_a_conflict(self, ten: Item) -> None:
        rows = await ten.list(limit=2)
        with pytest.raises(ConflictError):
            await ten.update_each([{"id": row.id, "name": "same"} for row in rows])
        assert await ten.count() == 10

    async def test_refuses_unknown_fields(self, items: Item) -> None:
        with pytest.raises(ValueError, match="no such field"):
            await items.update_each([{"id": uuid4(), "unknown": 1}])


class TestReturning:
    async def test_gives_the_rows_that_were_created(self, items: Item) -> None:
        rows = await items.returning.create_many([{"name": "b"}, {"name": "a", "number": 3}])
        assert [(row.name, row.number, row.version) for row in rows] == [("b", 0, 1), ("a", 3, 1)]

    async def test_gives_the_rows_that_were_changed(self, ten: Item) -> None:
        rows = await ten.returning.update_many({"number": 1}, {"number": 5})
        assert sorted((row.name, row.number, row.version) for row in rows) == [
            (f"Na%me_0{index}", 5, 2) for index in (1, 4, 7)
        ]

    async def test_gives_the_rows_that_were_deleted(self, ten: Item) -> None:
        rows = await ten.returning.delete_many({"number": 1})
        assert (sorted(row.name[-1] for row in rows), await ten.count()) == (["1", "4", "7"], 7)


class TestAggregate:
    async def test_of_all_rows_is_one(self, ten: Item) -> None:
        names = ("count", "maybe__sum", "maybe__min", "number__max", "number__avg")
        (total,) = await ten.aggregate(*names)
        assert total == dict(zip(names, (10, 5, 0, 2, 0.9), strict=True))
        assert [type(value) for value in total.values()] == [int, int, int, int, float]

    async def test_of_groups_is_sorted_by_them(self, ten: Item) -> None:
        groups = await ten.aggregate("count", "maybe__sum", by=("maybe", "number"), where={"number__lt": 2})
        assert [tuple(group.values()) for group in groups] == [
            (None, 0, 1, 0), (None, 1, 1, 0), (0, 0, 1, 0), (1, 0, 2, 2), (1, 1, 2, 2)
        ]  # fmt: skip

    async def test_is_sorted_and_limited(self, ten: Item) -> None:
        groups = await ten.aggregate("count", by=("number",), order=("-count", "-number"), limit=2)
        assert groups == [{"number": 0, "count": 4}, {"number": 2, "count": 3}]

    async def test_of_nothing(self, items: Item) -> None:
        names = ("count", "number__sum", "number__max", "number__avg")
        assert list(await items.aggregate(*names)) == [dict(zip(names, (0, 0, None, None), strict=True))]
        assert list(await items.aggregate("count", by=("number",))) == []

    async def test_leaves_deleted_rows(self, ten: Item) -> None:
        await ten.delete_many({"number": 0})
        counts = [await seen.aggregate("count") for seen in (ten, ten.with_deleted())]
        assert counts == [[{"count": 6}], [{"count": 10}]]

    @pytest.mark.parametrize(
        ("name", "options"),
        [
            ("number", {}),
            ("none__sum", {}),
            ("number__median", {}),
            ("count", {"by": ("none",)}),
            ("count", {"order": ("name",)}),
        ],
        ids=str,
    )
    async def test_refuses_what_does_not_exist(self, items: Item, name: str, options: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r"none|median|number|name"):
            await items.aggregate(name, **options)


class PaidRow(BaseModel, table=True):
    __tablename__ = "test_paid"

    amount: Decimal = Field(sa_type=Numeric(12, 2))
    rate: float = 0.5


class PaidDocument(BaseDocument):
    amount: Decimal
    rate: float = 0.5

    class Settings:
        name = "test_paid"


class PaidRowCRUD(BaseSQLModelCRUD[PaidRow]):
    model: ClassVar[type[PaidRow]] = PaidRow


class PaidDocumentCRUD(BaseBeanieCRUD[PaidDocument]):
    model: ClassVar[type[PaidDocument]] = PaidDocument


@pytest.fixture
async def sql_paid(uow: UnitOfWork) -> Item:
    await create_tables(uow.session, PaidRow)
    return PaidRowCRUD(uow.session)


@pytest.fixture
async def mongo_paid(resources: Resources) -> AsyncIterator[Item]:
    yield PaidDocumentCRUD(resources.documents)
    await resources.mongo["test_paid"].drop()


@pytest.mark.parametrize("store", ["sql_paid", "mongo_paid"])
class TestMoney:
    async def test_stays_exact(self, paid: Item) -> None:
        await paid.create_many([{"amount": Decimal("0.10")}, {"amount": Decimal("0.20")}])
        (total,) = await paid.aggregate("amount__sum", "amount__avg", "amount__max", "rate__sum")
        assert list(total.values()) == [Decimal("0.30"), Decimal("0.15"), Decimal("0.20"), 1.0]
        assert await paid.aggregate("amount__sum", where={"rate": 9}) == [{"amount__sum": Decimal(0)}]

    @pytest.fixture
    def paid(self, request: pytest.FixtureRequest, store: str) -> Item:
        paid: Item = request.getfixturevalue(store)
        return paid


class CountryRow(BaseTable, table=True):
    __tablename__ = "test_countries"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)


class VisitRow(BaseTable, table=True):
    __tablename__ = "test_visits"

    country_id: int = Field(primary_key=True, sa_column_args=[ForeignKey("test_countries.id")])
    year: int = Field(primary_key=True)
    days: int = 0


class CountryCRUD(BaseSQLModelCRUD[CountryRow]):
    model: ClassVar[type[CountryRow]] = CountryRow


class VisitCRUD(BaseSQLModelCRUD[VisitRow]):
    model: ClassVar[type[VisitRow]] = VisitRow


@pytest.fixture
async def countries(uow: UnitOfWork) -> CountryCRUD:
    await create_tables(uow.session, CountryRow, VisitRow)
    return CountryCRUD(uow.session)


class TestANumberAsKey:
    async def test_is_assigned_by_the_database(self, countries: CountryCRUD) -> None:
        one = await countries.create({"name": "a"})
        more = await countries.create_many([{"name": "c"}, {"name": "b"}])
        assert one.id is not None
        assert [(await countries.get(key)).name for key in (one.id, *more)] == ["a", "c", "b"]

    async def test_orders_lists(self, countries: CountryCRUD) -> None:
        await countries.create_many([{"name": name} for name in "cab"])
        first, cursor = await countries.cursor(PartOf(limit=2))
        second, _ = await countries.cursor(PartOf(cursor or "", limit=2, requested=QuerySpec()))
        assert [row.name for row in (*first, *second)] == ["c", "a", "b"]

    async def test_works_with_every_verb(self, countries: CountryCRUD) -> None:
        keys = await countries.returning.create_many([{"name": "a"}, {"name": "b"}])
        await countries.update_each([{"id": row.id, "name": row.name * 2} for row in keys])
        await countries.upsert_many([{"name": "aa"}, {"name": "c"}], by=["name"])
        await countries.upsert({"name": "c"}, by=["name"])
        await countries.delete(await countries.get(keys[1].id or 0, {"name": "bb"}))
        assert [row.name for row in await countries.list()] == ["aa", "c"]


class TestAKeyOfSeveralColumns:
    async def test_works_with_every_verb(self, countries: CountryCRUD) -> None:
        visits = VisitCRUD(countries.session)
        one, two = await countries.create_many([{"name": "a"}, {"name": "b"}])
        await visits.create({"country_id": one, "year": 2001})
        keys = await visits.create_many([{"country_id": key, "year": 2002} for key in (one, two)])
        assert keys == [(one, 2002), (two, 2002)]
        assert await visits.update_each([{"country_id": two, "year": 2002, "days": 5}]) == 1
        assert (await visits.get((two, 2002))).days == 5
        assert (await visits.get((two, 2002), {"days": 5})).year == 2002
        assert await visits.find((two, 1999)) is None
        rows = await visits.returning.upsert_many(
            [{"country_id": one, "year": year, "days": year} for year in (2001, 2003)], by=["country_id", "year"]
        )
        assert [row.days for row in rows] == [2001, 2003]
        with pytest.raises(NotFoundError):
            await visits.get((one, 2001), {"days": 1})

    async def test_orders_lists(self, countries: CountryCRUD) -> None:
        visits = VisitCRUD(countries.session)
        one, two = await countries.create_many([{"name": "a"}, {"name": "b"}])
        await visits.create_many([{"country_id": key, "year": year} for year in (2, 1) for key in (two, one)])
        seen, cursor = [], ""
        for _ in range(2):
            rows, following = await visits.cursor(PartOf(cursor, limit=2, requested=QuerySpec(order=("-year",))))
            seen += [(row.country_id, row.year) for row in rows]
            cursor = following or ""
        assert (seen, cursor) == ([(two, 2), (one, 2), (two, 1), (one, 1)], "")
