"""The shop, filled; and the number of statements that a screen sends to SQL and MongoDB."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent
from sqlalchemy import event

from src.core.config import settings
from src.core.resources import Resources
from src.core.stores.documents import Documents, MongoClient
from src.core.unit_of_work import UnitOfWork
from tests.shop.documents import DOCUMENTS
from tests.shop.filling import Filled, fill
from tests.shop.screens import Screens
from tests.shop.tables import TABLES
from tests.support.tables import create_tables

DATABASE = "test_shop"


class Statements(CommandListener):
    """What was sent to SQL, without savepoints, and to MongoDB."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def started(self, event: CommandStartedEvent) -> None:
        """Note a command of MongoDB."""
        if event.database_name == DATABASE:
            self.sent.append(event.command_name)

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Nothing to note."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Nothing to note."""

    def executed(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        """Note a statement of SQL."""
        if "SAVEPOINT" not in statement:
            self.sent.append(statement)


@pytest.fixture
def statements(uow: UnitOfWork) -> Iterator[Statements]:
    statements, engine = Statements(), uow.session.get_bind()
    event.listen(engine, "before_cursor_execute", statements.executed)
    yield statements
    event.remove(engine, "before_cursor_execute", statements.executed)


@pytest.fixture
async def documents(statements: Statements, resources: Resources) -> AsyncIterator[Documents]:
    codecs = resources.mongo.codec_options
    options: dict[str, Any] = {"tz_aware": True, "type_registry": codecs.type_registry, "event_listeners": [statements]}
    client = MongoClient(settings.mongo.url, uuidRepresentation="standard", **options)
    documents = Documents(client[DATABASE])
    for model in DOCUMENTS:
        await documents.bind(model)
    yield documents
    await client.drop_database(DATABASE)
    await client.close()


@pytest.fixture
async def filled(uow: UnitOfWork, documents: Documents, statements: Statements) -> Filled:
    await create_tables(uow.session, *TABLES)
    filled = await fill(uow.session, documents)
    uow.session.expunge_all()
    statements.sent.clear()
    return filled


@pytest.fixture
def screens(uow: UnitOfWork, documents: Documents) -> Screens:
    return Screens(uow.session, documents)
