"""A table and a collection with all mixins, and the operations on them."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pytest
from pydantic import SecretStr
from sqlalchemy import JSON
from sqlmodel import Field

from src.core.list_filters import QuerySpec, Total
from src.core.resources import Resources
from src.core.stores.sql import SQLDatabase
from src.core.unit_of_work import UnitOfWork
from src.crud.base import BaseCRUD
from src.crud.crud_beanie import BaseBeanieCRUD
from src.crud.crud_sqlmodel import BaseSQLModelCRUD
from src.models.base import BaseModel
from src.models.document import BaseDocument
from src.models.mixins import Authored, SoftDelete, Versioned
from tests.support.tables import create_tables


class ItemRow(SoftDelete, Versioned, Authored, BaseModel, table=True):
    __tablename__ = "test_items"

    name: str = Field(unique=True)
    number: int = 0
    maybe: int | None = None
    note: Any = Field(default=None, sa_type=JSON, nullable=True)


TABLE = ItemRow.metadata.tables["test_items"]


class ItemDocument(SoftDelete, Versioned, Authored, BaseDocument):
    name: str
    number: int = 0
    maybe: int | None = None
    note: Any = None

    class Settings:
        name = "test_items"


class RowCRUD(BaseSQLModelCRUD[ItemRow]):
    model: ClassVar[type[ItemRow]] = ItemRow


class DocumentCRUD(BaseBeanieCRUD[ItemDocument]):
    model: ClassVar[type[ItemDocument]] = ItemDocument


@dataclass
class PageOf:
    page: int = 1
    page_size: int = 3
    total: Total = Total.EXACT
    requested: QuerySpec = field(default_factory=QuerySpec)

    def spec(self) -> QuerySpec:
        return self.requested


@dataclass
class PartOf:
    cursor: str = ""
    limit: int = 3
    requested: QuerySpec = field(default_factory=QuerySpec)

    def spec(self) -> QuerySpec:
        return self.requested


# MySQL and MariaDB are only tested where the URL of a server is set.
MYSQL_URL = os.environ.get("MYSQL_DATABASE_URL")
STORES = ["sql", "mongo", *(["mysql"] if MYSQL_URL else [])]


@pytest.fixture(params=STORES)
def items(request: pytest.FixtureRequest) -> BaseCRUD[Any]:
    """The operations on an empty table or collection."""
    items: BaseCRUD[Any] = request.getfixturevalue(f"{request.param}_items")
    return items


@pytest.fixture
async def sql_items(uow: UnitOfWork) -> BaseCRUD[Any]:
    await create_tables(uow.session, ItemRow)
    return RowCRUD(uow.session)


@pytest.fixture
async def mongo_items(resources: Resources) -> AsyncIterator[BaseCRUD[Any]]:
    await resources.documents.bind(ItemDocument)
    collection = ItemDocument.get_pymongo_collection()
    await collection.create_index("name", unique=True)
    yield DocumentCRUD(resources.documents)
    await collection.drop()


@pytest.fixture
async def mysql_items(resources: Resources) -> AsyncIterator[BaseCRUD[Any]]:
    settings = resources.settings.sql.model_copy(update={"databases": {"other": SecretStr(str(MYSQL_URL))}})
    database = SQLDatabase(settings, settings.named_urls["other"])
    async with database.engine.begin() as connection:
        await connection.run_sync(TABLE.create)
    async with database.sessions() as session:
        yield RowCRUD(session)
    async with database.engine.begin() as connection:
        await connection.run_sync(TABLE.drop)
    await database.engine.dispose()


@pytest.fixture
async def ten(items: BaseCRUD[Any]) -> BaseCRUD[Any]:
    """Ten rows; three of them have no `maybe`."""
    await items.create_many(
        [
            {"name": f"Na%me_{index:02}", "number": index % 3, "maybe": None if index % 4 == 0 else index % 2}
            for index in range(10)
        ]
    )
    return items
