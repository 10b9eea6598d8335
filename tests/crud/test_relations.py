"""Relations: the same declarations load, filter and create related rows of tables and linked documents."""

from collections.abc import AsyncIterator
from typing import Any, ClassVar
from uuid import UUID

import pytest
from beanie import BackLink, Link
from pydantic import BaseModel as Schema
from pydantic import Field as DocumentField
from sqlalchemy import ForeignKey, event
from sqlmodel import Field, Relationship, SQLModel

from src.core.exceptions import ConflictError, InvalidInputError
from src.core.list_filters import QuerySpec
from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.crud.base import BaseCRUD
from src.crud.crud_beanie import BaseBeanieCRUD
from src.crud.crud_sqlmodel import BaseSQLModelCRUD
from src.models.base import BaseModel, BaseTable
from src.models.document import BaseDocument
from src.models.mixins import SoftDelete
from src.models.unloaded import NotLoadedError
from tests.crud.conftest import PageOf, PartOf
from tests.support.tables import create_tables


class OwnerRow(SoftDelete, BaseModel, table=True):
    __tablename__ = "test_related_owners"

    name: str = Field(unique=True)
    boss_id: UUID | None = Field(default=None, sa_column_args=[ForeignKey("test_related_owners.id")])

    boss: "OwnerRow" = Relationship(sa_relationship_kwargs={"remote_side": "OwnerRow.id"})
    orders: list["OrderRow"] = Relationship(back_populates="owner")


class OrderTagRow(SQLModel, table=True):
    __tablename__ = "test_related_order_tags"

    order_id: UUID = Field(primary_key=True, sa_column_args=[ForeignKey("test_related_orders.id", ondelete="CASCADE")])
    tag_id: UUID = Field(primary_key=True, sa_column_args=[ForeignKey("test_related_tags.id")])


class TagRow(BaseModel, table=True):
    __tablename__ = "test_related_tags"

    name: str


class OrderRow(BaseModel, table=True):
    __tablename__ = "test_related_orders"

    number: int
    owner_id: UUID | None = Field(default=None, sa_column_args=[ForeignKey("test_related_owners.id")])

    owner: OwnerRow = Relationship(back_populates="orders")
    lines: list["LineRow"] = Relationship(back_populates="order", sa_relationship_kwargs={"order_by": "LineRow.number"})
    tags: list[TagRow] = Relationship(link_model=OrderTagRow)


class LineRow(SoftDelete, BaseModel, table=True):
    __tablename__ = "test_related_lines"

    order_id: UUID = Field(sa_column_args=[ForeignKey("test_related_orders.id", ondelete="CASCADE")])
    product_id: UUID | None = Field(default=None, sa_column_args=[ForeignKey("test_related_products.id")])
    number: int
    note: str = ""

    order: OrderRow = Relationship(back_populates="lines")
    product: "ProductRow" = Relationship()


class ProductRow(BaseModel, table=True):
    __tablename__ = "test_related_products"

    name: str = Field(unique=True)


TABLES: list[type[BaseTable] | type[SQLModel]] = [OwnerRow, TagRow, OrderRow, OrderTagRow, ProductRow, LineRow]


class OwnerDocument(SoftDelete, BaseDocument):
    name: str
    boss: Link["OwnerDocument"] | None = None
    orders: list[BackLink["OrderDocument"]] = DocumentField(
        default_factory=list, json_schema_extra={"original_field": "owner"}
    )

    class Settings:
        name = "test_related_owners"


class TagDocument(BaseDocument):
    name: str

    class Settings:
        name = "test_related_tags"


class ProductDocument(BaseDocument):
    name: str

    class Settings:
        name = "test_related_products"


class OrderDocument(BaseDocument):
    number: int
    owner: Link[OwnerDocument] | None = None
    tags: list[Link[TagDocument]] = DocumentField(default_factory=list)
    lines: list[BackLink["LineDocument"]] = DocumentField(
        default_factory=list, json_schema_extra={"original_field": "order"}
    )

    class Settings:
        name = "test_related_orders"


class LineDocument(SoftDelete, BaseDocument):
    order: Link[OrderDocument]
    product: Link[ProductDocument] | None = None
    number: int
    note: str = ""

    class Settings:
        name = "test_related_lines"


DOCUMENTS: list[type[BaseDocument]] = [OwnerDocument, TagDocument, ProductDocument, OrderDocument, LineDocument]


class OrderRowCRUD(BaseSQLModelCRUD[OrderRow]):
    model: ClassVar[type[OrderRow]] = OrderRow


class OrderDocumentCRUD(BaseBeanieCRUD[OrderDocument]):
    model: ClassVar[type[OrderDocument]] = OrderDocument


class Named(Schema):
    name: str


class Line(Schema):
    number: int
    product: Named | None = None


class Shown(Schema):
    number: int
    owner: Named | None
    lines: list[Line]
    tags: list[Named] | None = None


class Statements:
    """Counts the statements that a session sends, without savepoints."""

    def __init__(self, uow: UnitOfWork) -> None:
        self.texts: list[str] = []
        self.engine = uow.session.get_bind()
        event.listen(self.engine, "before_cursor_execute", self._note)

    def _note(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "SAVEPOINT" not in statement:
            self.texts.append(statement)

    def __len__(self) -> int:
        return len(self.texts)


@pytest.fixture
async def sql_orders(uow: UnitOfWork) -> BaseCRUD[Any]:
    await create_tables(uow.session, *TABLES)
    return OrderRowCRUD(uow.session)


@pytest.fixture
async def mongo_orders(resources: Resources) -> AsyncIterator[BaseCRUD[Any]]:
    for model in DOCUMENTS:
        await resources.documents.bind(model)
    yield OrderDocumentCRUD(resources.documents)
    for model in DOCUMENTS:
        await model.get_pymongo_collection().drop()


@pytest.fixture(params=["sql", "mongo"])
def no_orders(request: pytest.FixtureRequest) -> BaseCRUD[Any]:
    empty: BaseCRUD[Any] = request.getfixturevalue(f"{request.param}_orders")
    return empty


@pytest.fixture
async def orders(no_orders: BaseCRUD[Any]) -> BaseCRUD[Any]:
    """Two orders: of Ada, with two lines and a tag, and of Bob, with one line; a third has no owner and no lines."""
    ada: dict[str, Any] = {
        "number": 1,
        "owner": {"name": "Ada", "boss": {"name": "Zoe"}},
        "tags": [{"name": "new"}],
        "lines": [{"number": 1, "product": {"name": "pen"}}, {"number": 2, "product": {"name": "ink"}, "note": "blue"}],
    }
    for order in (ada, {"number": 2, "owner": {"name": "Bob"}, "lines": [{"number": 5}]}, {"number": 3}):
        await no_orders.create(order)
    if isinstance(no_orders, OrderRowCRUD):
        no_orders.session.expunge_all()
    return no_orders


class TestIncluded:
    async def test_relations_are_loaded(self, orders: BaseCRUD[Any]) -> None:
        rows = await orders.list(include=("owner", "lines.product", "tags"), order=("number",))
        assert [row.owner and row.owner.name for row in rows] == ["Ada", "Bob", None]
        assert [[line.number for line in row.lines] for row in rows] == [[1, 2], [5], []]
        assert [line.product and line.product.name for row in rows for line in row.lines] == ["pen", "ink", None]
        assert [[tag.name for tag in row.tags] for row in rows] == [["new"], [], []]

    async def test_relations_of_one_row_are_loaded(self, orders: BaseCRUD[Any]) -> None:
        key = (await orders.list({"number": 1}))[0].id
        found, got = (
            await orders.find(key, include=("owner.boss",)),
            await orders.get(key, {"number": 1}, include=["lines"]),
        )
        assert (found and found.owner.boss.name, len(got.lines)) == ("Zoe", 2)

    async def test_relations_come_with_pages_and_cursors(self, orders: BaseCRUD[Any]) -> None:
        query = QuerySpec(order=("-number",), include=("owner",))
        paged, _ = await orders.page(PageOf(requested=query), include=("lines",))
        part, _ = await orders.cursor(PartOf(requested=query), {"number": 2}, include=("lines",))
        assert [len(row.lines) for row in paged] == [0, 1, 2]
        assert [(row.owner.name, len(row.lines)) for row in part] == [("Bob", 1)]

    @pytest.mark.parametrize("include", ["unknown", "number", "owner.unknown", "owner.orders.owner.orders"])
    async def test_relations_that_do_not_exist_or_are_too_deep_are_refused(
        self, orders: BaseCRUD[Any], include: str
    ) -> None:
        with pytest.raises(ValueError, match="relation"):
            await orders.list(include=(include,))

    async def test_deleted_rows_are_not_in_lists_but_are_referred_to(self, orders: BaseCRUD[Any]) -> None:
        lines, owners = related(orders, "lines"), related(orders, "owner")
        await lines.delete_many({"number": 1})
        await owners.delete_many({"name": "Ada"})
        row = (await orders.list({"number": 1}, include=("owner", "lines")))[0]
        shown = (await orders.project(Shown).list({"number": 1}))[0]
        assert (row.owner.name, [line.number for line in row.lines]) == ("Ada", [2])
        assert (shown.owner, [line.number for line in shown.lines]) == (Named(name="Ada"), [2])


class TestNestedShapes:
    async def test_are_made_of_related_rows(self, orders: BaseCRUD[Any]) -> None:
        shown = await orders.project(Shown).list(order=("-number",))
        assert [row.model_dump() for row in shown] == [
            {"number": 3, "owner": None, "lines": [], "tags": None},
            {"number": 2, "owner": {"name": "Bob"}, "lines": [{"number": 5, "product": None}], "tags": None},
            {
                "number": 1,
                "owner": {"name": "Ada"},
                "lines": [{"number": 1, "product": None}, {"number": 2, "product": None}],
                "tags": None,
            },
        ]

    async def test_have_optional_relations_if_they_are_included(self, orders: BaseCRUD[Any]) -> None:
        shown, _ = await orders.project(Shown).page(PageOf(), {"number": 1}, include=("lines.product", "tags"))
        assert ([line.product for line in shown[0].lines], shown[0].tags) == (
            [Named(name="pen"), Named(name="ink")],
            [Named(name="new")],
        )

    async def test_follow_cursors(self, orders: BaseCRUD[Any]) -> None:
        first, cursor = await orders.project(Shown).cursor(
            PartOf(limit=1, requested=QuerySpec(order=("-create_time",)))
        )
        second, _ = await orders.project(Shown).cursor(
            PartOf(cursor or "", limit=1, requested=QuerySpec(order=("-create_time",)))
        )
        assert [row.number for row in (*first, *second)] == [3, 2]

    async def test_refuse_what_the_schema_lacks(self, orders: BaseCRUD[Any]) -> None:
        with pytest.raises(ValueError, match="relation 'boss'"):
            await orders.project(Shown).list(include=("boss",))


class TestFilters:
    @pytest.mark.parametrize(
        ("where", "numbers"),
        [
            ({"owner.name": "Ada"}, [1]),
            ({"owner.name__starts": "B"}, [2]),
            ({"owner.name__in": ["Ada", "Bob"], "number__gt": 1}, [2]),
            ({"owner.name__contains": "b", "lines.number": 5}, [2]),
            ({"owner": {"name": "Ada", "id__null": False}}, [1]),
            ({"owner.boss.name": "Zoe"}, [1]),
            ({"owner.boss": {"name": "nobody"}}, []),
            ({"lines.product.name": "ink"}, [1]),
            ({"lines": {"number": 2, "note": "blue"}}, [1]),
            ({"lines": {"number": 1, "note": "blue"}}, []),
            ({"lines.number": 1, "lines.note": "blue"}, [1]),
            ({"tags.name": "new"}, [1]),
            ({"or": [{"owner.name": "Bob"}, {"tags.name": "new"}]}, [1, 2]),
            ({"or": [{"owner.name": "Bob"}, {"number": 3}], "number__gt": 2}, [3]),
            ({"owner.orders.number": 2}, [2]),
        ],
        ids=str,
    )
    async def test_match_related_rows(self, orders: BaseCRUD[Any], where: dict[str, Any], numbers: list[int]) -> None:
        assert [row.number for row in await orders.list(where, order=("number",))] == numbers
        assert await orders.count(where) == len(numbers)
        assert await orders.exists(where) == bool(numbers)

    async def test_of_the_same_shape_do_not_share_values(self, orders: BaseCRUD[Any]) -> None:
        names = [("Ada", "Bob"), ("Bob", "Ada")]
        counts = [await orders.count({"owner.name": one, "or": [{"owner.name": other}]}) for one, other in names]
        assert (counts, await orders.count({"owner.name": "Ada", "lines.note": "blue"})) == ([0, 0], 1)

    async def test_choose_what_bulk_verbs_change(self, orders: BaseCRUD[Any]) -> None:
        assert await orders.update_many({"owner.name": "Ada"}, {"number": 9}) == 1
        assert [row.number for row in await orders.list(order=("number",))] == [2, 3, 9]
        assert await orders.delete_many({"owner.name": "Nobody"}) == 0

    @pytest.mark.parametrize("name", ["owner.unknown", "unknown.name", "number.name", "lines.product.unknown"])
    async def test_of_unknown_fields_are_refused(self, orders: BaseCRUD[Any], name: str) -> None:
        with pytest.raises(ValueError, match="has no field"):
            await orders.count({name: 1})

    async def test_with_unusable_values_are_invalid_input(self, orders: BaseCRUD[Any]) -> None:
        with pytest.raises(InvalidInputError):
            await orders.count({"lines.number": "many"})


class TestNestedCreate:
    async def test_returns_the_row_with_what_was_created(self, orders: BaseCRUD[Any]) -> None:
        row = await orders.create({"number": 7, "owner": {"name": "Cid"}, "lines": [{"number": 1}, {"number": 2}]})
        assert (row.owner.name, [line.number for line in row.lines]) == ("Cid", [1, 2])

    async def test_creates_nothing_if_a_related_row_is_refused(self, sql_orders: BaseCRUD[Any]) -> None:
        owner: dict[str, Any] = {"name": "Ada"}
        await sql_orders.create({"number": 1, "owner": owner})
        with pytest.raises(ConflictError) as caught:
            await sql_orders.create({"number": 2, "lines": [{"number": 1}], "owner": owner})
        assert (caught.value.data[0]["field"], await sql_orders.count()) == ("name", 1)

    async def test_refuses_unknown_fields(self, orders: BaseCRUD[Any]) -> None:
        with pytest.raises(ValueError, match="no such field"):
            await orders.create({"number": 7, "lines": [{"unknown": 1}]})


class Boss(Schema):
    name: str
    boss: Named | None


class TestARelationToTheSameTable:
    @pytest.fixture
    async def owners(self, sql_orders: BaseCRUD[Any]) -> BaseCRUD[Any]:
        owners = related(sql_orders, "owner")
        await owners.create({"name": "Ada", "boss": {"name": "Bob", "boss": {"name": "Cid"}}})
        return owners

    async def test_is_filtered_at_every_level(self, owners: BaseCRUD[Any]) -> None:
        lists: list[dict[str, Any]] = [
            {"boss.name": "Cid"}, {"boss.boss.name": "Cid"}, {"boss.boss.name": "Bob"}, {"boss__null": True},
            {"boss": {"name": "Bob", "boss.name": "Cid"}}, {"boss": {"name": "Cid", "boss.name": "Cid"}},
        ]  # fmt: skip
        assert [[row.name for row in await owners.list(where)] for where in lists] == [
            ["Bob"], ["Ada"], [], ["Cid"], ["Ada"], []
        ]  # fmt: skip

    async def test_is_shown_and_loaded(self, owners: BaseCRUD[Any]) -> None:
        class Shown(Schema):
            name: str
            boss: Boss | None

        shown = await owners.project(Shown).list(order=("name",))
        cid = {"name": "Cid", "boss": None}
        bob = {"name": "Bob", "boss": {"name": "Cid"}}
        assert [row.model_dump()["boss"] for row in shown] == [bob, cid, None]
        ada = (await owners.list({"name": "Ada"}, include=("boss.boss",)))[0]
        assert ada.boss.boss.name == "Cid"


class TestStatements:
    """Of SQL: as few as there are lists, and none that nobody asked for."""

    async def test_are_one_and_one_for_each_list(self, sql_orders: BaseCRUD[Any], uow: UnitOfWork) -> None:
        lines = [{"number": number, "product": {"name": str(number)}} for number in range(3)]
        inserts = Statements(uow)
        await sql_orders.create({"number": 1, "owner": {"name": "Ada"}, "lines": lines})
        assert len(inserts) == 4
        uow.session.expunge_all()
        loaded = Statements(uow)
        rows = await sql_orders.list(include=("owner", "lines.product"))
        assert (len(loaded), rows[0].owner.name, rows[0].lines[2].product.name) == (2, "Ada", "2")
        shown = Statements(uow)
        await sql_orders.project(Shown).list(include=("lines.product",))
        assert len(shown) == 2

    async def test_are_never_sent_by_an_attribute(self, sql_orders: BaseCRUD[Any], uow: UnitOfWork) -> None:
        await sql_orders.create({"number": 1, "owner": {"name": "Ada"}, "lines": [{"number": 1}]})
        uow.session.expunge_all()
        row = (await sql_orders.list())[0]
        with pytest.raises(NotLoadedError, match=r"OrderRow\.lines was not loaded.*include=\('lines',\)"):
            _ = row.lines
        with pytest.raises(NotLoadedError, match=r"include=\('owner',\)"):
            _ = row.owner

    async def test_of_a_deletion_leave_lists_to_the_foreign_keys(self, sql_orders: BaseCRUD[Any]) -> None:
        row = await sql_orders.create({"number": 1, "owner": {"name": "Ada"}, "lines": [{"number": 1}]})
        with pytest.raises(ConflictError):
            await related(sql_orders, "owner").purge(row.owner)
        await sql_orders.delete(row)
        assert await related(sql_orders, "lines").count() == 0


def related(orders: BaseCRUD[Any], name: str) -> BaseCRUD[Any]:
    """The operations on the rows that a relation leads to."""
    crud: BaseCRUD[Any] = orders.of(orders._related(orders.model, name))  # type: ignore[attr-defined]  # of both
    return crud
