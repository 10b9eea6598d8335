import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from beanie import Document, init_beanie
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase


class TransactionsUnsupportedError(RuntimeError):
    """The MongoDB server is a single one without a replica set: it has no transactions."""


class Documents:
    """Binds Beanie's document classes to this process's database, each when it is first needed.

    Beanie asks the server while it binds: doing so at start would keep a process down for as long as MongoDB is.
    """

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._database = database
        self._bound: set[type[Document]] = set()
        self._lock = asyncio.Lock()
        self._has_transactions = False

    @property
    def database(self) -> AsyncDatabase[dict[str, Any]]:
        """PyMongo's database beneath."""
        return self._database

    async def bind(self, model: type[Document]) -> None:
        """Make the class usable; indexes are left to `create_indexes`.

        Raises:
            PyMongoError: No server answers.
        """
        if model in self._bound:
            return
        async with self._lock:
            if model not in self._bound:
                await init_beanie(self._database, document_models=[model], skip_indexes=True)
                self._bound.add(model)

    async def create_indexes(self, *models: type[Document]) -> None:
        """Create the indexes that the classes declare; part of a deployment, not of every start."""
        await init_beanie(self._database, document_models=list(models))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncClientSession]:
        """Several changes, all or none; hand the session to the CRUD classes: `AuditCRUD(documents, session)`.

        It has no part in the SQL transaction. Changes of the same document by somebody else end it with a 503.

        Raises:
            TransactionsUnsupportedError: The server is no replica set; nothing has been changed.
        """
        if not self._has_transactions:
            hello = await self._database.client.admin.command("hello")
            if "setName" not in hello and hello.get("msg") != "isdbgrid":
                raise TransactionsUnsupportedError("Transactions need a MongoDB replica set, if of one server.")
            self._has_transactions = True
        async with self._database.client.start_session() as session, await session.start_transaction():
            yield session
