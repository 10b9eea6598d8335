"""A violated constraint is a 409 or 422 that names the field, whatever the operation and the store."""

from collections.abc import AsyncIterator
from typing import Any, ClassVar
from uuid import UUID, uuid4

import pytest
from asyncpg import PostgresError
from pymongo import IndexModel
from pymongo.errors import OperationFailure
from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.exc import DBAPIError
from sqlmodel import Field

from src.core.exceptions import AppError
from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.crud.crud_beanie import BaseBeanieCRUD
from src.crud.crud_sqlmodel import BaseSQLModelCRUD
from src.crud.query.sql.constraints import table_violation
from src.models.base import BaseModel
from src.models.document import BaseDocument
from src.models.mixins import SoftDelete
from tests.support.tables import create_tables


class Buyer(BaseModel, table=True):
    __tablename__ = "test_customers"

    name: str = ""


class Purchase(BaseModel, table=True):
    __tablename__ = "test_orders"
    __table_args__ = (
        UniqueConstraint("region", "number"),
        CheckConstraint("amount >= 0", name="amount"),
        Index("ix_test_orders_lower", text("lower(code)"), unique=True),
    )

    email: str | None = Field(default=None, sa_column=Column("mail", String, unique=True))
    code: str | None = None
    region: int = 0
    number: int | None = None
    amount: int = 0
    place: str | None = Field(nullable=False)  # that it is required is only known to the database
    customer_id: UUID | None = Field(default=None, sa_column_args=[ForeignKey("test_customers.id")])
    parent_id: UUID | None = Field(default=None, sa_column_args=[ForeignKey("test_orders.id")])


class PurchaseCRUD(BaseSQLModelCRUD[Purchase]):
    model: ClassVar[type[Purchase]] = Purchase


class BuyerCRUD(BaseSQLModelCRUD[Buyer]):
    model: ClassVar[type[Buyer]] = Buyer


@pytest.fixture
async def orders(uow: UnitOfWork) -> PurchaseCRUD:
    """Orders, of which the first has all unique values that the others violate."""
    await create_tables(uow.session, Buyer, Purchase)
    crud = PurchaseCRUD(uow.session)
    await crud.create({"email": "taken", "code": "taken", "region": 1, "number": 1, "place": "here"})
    return crud


VIOLATIONS: list[tuple[dict[str, Any], int, str]] = [
    ({"email": "taken"}, 409, "email"),
    ({"region": 1, "number": 1}, 409, "region,number"),
    ({"code": "TAKEN"}, 409, "code"),
    ({"customer_id": uuid4()}, 422, "customerId"),
    ({"parent_id": uuid4()}, 422, "parentId"),
    ({"place": None}, 422, "place"),
    ({"amount": -1}, 422, "amount"),
]


async def write(crud: Any, verb: str, fields: dict[str, Any]) -> None:
    """Store these fields in a second row, which `update` and the like create first."""
    valid = {"place": "here"} if "place" in crud.model.model_fields else {}
    fields = {**valid, **fields}
    match verb:
        case "create":
            await crud.create(fields)
        case "create_many":
            await crud.create_many([valid, fields])
        case "update":
            await crud.update(await crud.create(valid), fields)
        case "update_many":
            await crud.update_many({"id": (await crud.create(valid)).id}, fields)
        case "upsert":
            await crud.upsert({"id": (await crud.create(valid)).id, **fields}, by=["id"])
        case _:
            await crud.upsert({"id": uuid4(), **fields}, by=["id"])


@pytest.mark.parametrize("verb", ["create", "create_many", "update", "update_many", "upsert new", "upsert"])
@pytest.mark.parametrize(("fields", "status", "field"), VIOLATIONS, ids=[field for *_, field in VIOLATIONS])
async def test_of_a_table(orders: PurchaseCRUD, verb: str, fields: dict[str, Any], status: int, field: str) -> None:
    with pytest.raises(AppError) as caught:
        await write(orders, verb, fields)
    assert (caught.value.status, caught.value.data[0]["field"]) == (status, field)
    assert await orders.count() == 1 + (verb in ("update", "update_many", "upsert"))


class TestAReferencedRow:
    @pytest.fixture
    async def customer(self, orders: PurchaseCRUD) -> Buyer:
        customer = await BuyerCRUD(orders.session).create({})
        await orders.create({"customer_id": customer.id, "place": "here"})
        return customer

    @pytest.mark.parametrize("verb", ["delete", "delete_many"])
    async def test_is_not_deleted(self, orders: PurchaseCRUD, customer: Buyer, verb: str) -> None:
        customers = BuyerCRUD(orders.session)
        with pytest.raises(AppError) as caught:
            await (customers.delete(customer) if verb == "delete" else customers.delete_many({}))
        assert (caught.value.status, caught.value.data[0]["field"], await customers.count()) == (409, "id", 1)

    async def test_of_the_same_table_is_not_deleted(self, orders: PurchaseCRUD) -> None:
        parent = (await orders.list())[0]
        await orders.create({"parent_id": parent.id, "place": "here"})
        with pytest.raises(AppError) as caught:
            await orders.delete(parent)
        assert (caught.value.status, caught.value.data[0]["field"]) == (409, "id")


class Account(BaseDocument):
    email: str | None = Field(default=None, alias="mail")
    region: int = 0
    number: int | None = None
    amount: int = 0

    class Settings:
        name = "test_accounts"
        indexes: ClassVar[list[IndexModel]] = [
            IndexModel("mail", unique=True, partialFilterExpression={"mail": {"$type": "string"}}),
            IndexModel(["region", "number"], unique=True, partialFilterExpression={"number": {"$type": "int"}}),
        ]


class AccountCRUD(BaseBeanieCRUD[Account]):
    model: ClassVar[type[Account]] = Account


@pytest.fixture
async def accounts(resources: Resources) -> AsyncIterator[AccountCRUD]:
    await resources.documents.create_indexes(Account)
    crud = AccountCRUD(resources.documents)
    await crud.create({"email": "taken", "region": 1, "number": 1})
    yield crud
    await resources.mongo["test_accounts"].drop()


@pytest.mark.parametrize("verb", ["create", "create_many", "update", "update_many", "upsert new", "upsert"])
@pytest.mark.parametrize(("fields", "status", "field"), VIOLATIONS[:2], ids=["one field", "two fields"])
async def test_of_a_collection(
    accounts: AccountCRUD, verb: str, fields: dict[str, Any], status: int, field: str
) -> None:
    with pytest.raises(AppError) as caught:
        await write(accounts, verb, fields)
    assert (caught.value.status, caught.value.data[0]["field"]) == (status, field)


async def test_a_row_is_as_before_a_value_that_its_column_cannot_hold(orders: PurchaseCRUD) -> None:
    order = (await orders.list())[0]
    with pytest.raises(DBAPIError):
        await orders.update(order, {"amount": 2**40})
    assert (order.amount, await orders.count()) == (0, 1)


async def test_another_error_of_a_table_is_raised_as_it_is(orders: PurchaseCRUD) -> None:
    error = PostgresError()
    with pytest.raises(PostgresError) as caught:
        async with orders._writing():
            raise error
    assert (caught.value, error.__cause__) == (error, None)


def test_another_error_of_a_collection_is_raised_as_it_is(resources: Resources) -> None:
    error = OperationFailure("full", 1)
    with pytest.raises(OperationFailure) as caught, AccountCRUD(resources.documents)._writing():
        raise error
    assert (caught.value, error.__cause__) == (error, None)


class Page(SoftDelete, BaseModel, table=True):
    __tablename__ = "test_pages"
    __table_args__ = (Index("uq_test_pages_path", "path", unique=True, postgresql_where=text("delete_time IS NULL")),)

    path: str
    title: str = ""


class PageCRUD(BaseSQLModelCRUD[Page]):
    model: ClassVar[type[Page]] = Page


class PageDocument(SoftDelete, BaseDocument):
    path: str
    title: str = ""

    class Settings:
        name = "test_pages"
        indexes: ClassVar[list[IndexModel]] = [
            IndexModel("path", unique=True, partialFilterExpression={"delete_time": None})
        ]


class PageDocumentCRUD(BaseBeanieCRUD[PageDocument]):
    model: ClassVar[type[PageDocument]] = PageDocument


class TestAnUpsertBesideDeletedRows:
    """Of a unique index without deleted rows, as `SoftDelete` advises."""

    @pytest.fixture(params=["sql", "mongo"])
    async def pages(self, request: pytest.FixtureRequest, uow: UnitOfWork, resources: Resources) -> AsyncIterator[Any]:
        if request.param == "sql":
            await create_tables(uow.session, Page)
            yield PageCRUD(uow.session)
        else:
            await resources.documents.create_indexes(PageDocument)
            yield PageDocumentCRUD(resources.documents)
            await resources.mongo["test_pages"].drop()

    async def test_changes_the_living_row(self, pages: Any) -> None:
        await pages.delete(await pages.create({"path": "/"}))
        added = await pages.upsert({"path": "/", "title": "a"}, by=["path"])
        changed = await pages.upsert({"path": "/", "title": "b"}, by=["path"])
        assert (changed.id, changed.title, await pages.count()) == (added.id, "b", 1)

    async def test_leaves_the_deleted_row_deleted(self, pages: Any) -> None:
        deleted = await pages.create({"path": "/", "title": "old"})
        await pages.delete(deleted)
        added = await pages.upsert({"path": "/", "title": "new"}, by=["path"])
        assert (added.id != deleted.id, await pages.find(deleted.id)) == (True, None)


def test_a_number_of_mysql_comes_before_its_state() -> None:
    """Which is 23000 for all constraints."""

    class IntegrityError(Exception):
        sqlstate = "23000"

    cause = IntegrityError(1062, "Duplicate entry 'a' for key 'test_orders.uq_test_orders_mail'")
    refused = table_violation(Purchase, DBAPIError("INSERT", {}, cause))
    assert refused is not None
    assert (refused.status, refused.data) == (
        409,
        [{"field": "email", "message": "is already taken", "type": "unique"}],
    )
