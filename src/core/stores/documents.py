"""MongoDB: the client, and Beanie's document classes on it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, cast

from beanie import Document, init_beanie
from bson import Decimal128
from bson.codec_options import TypeCodec, TypeRegistry
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from typing_extensions import override

from src.core.config.stores import MongoSettings
from src.utils.cancellation import finish
from src.utils.single_flight import SingleFlight


class TransactionsUnsupportedError(RuntimeError):
    """The MongoDB server is not part of a replica set, so it has no transactions."""


class Documents:
    """Binds Beanie's document classes to this process's database, each at its first use.

    Beanie queries the server to bind a class: at start, that would keep the process down while MongoDB is.
    """

    def __init__(self, database: AsyncDatabase[dict[str, Any]]) -> None:
        self._database = database
        self._bound: set[type[Document]] = set()
        self._binding = SingleFlight()
        self._has_transactions = False

    @property
    def database(self) -> AsyncDatabase[dict[str, Any]]:
        """The PyMongo database."""
        return self._database

    async def bind(self, model: type[Document]) -> None:
        """Make a document class usable; `create_indexes` creates its indexes.

        Raises:
            PyMongoError: No server responds.
        """
        while model not in self._bound:
            # Callers share an attempt, and its error: while no server responds, one after the other would wait in turn.
            await self._binding.do("bind", lambda: self._bind(model))

    async def _bind(self, model: type[Document]) -> None:
        """Bind a class, its inheritance tree, and the classes that it links to."""
        if model in self._bound:
            return
        models = _inheritance_tree(model)
        await init_beanie(self._database, document_models=models, skip_indexes=True)
        self._bound.update(models)
        for bound in models:
            for link in (bound.get_link_fields() or {}).values():
                await self._bind(cast(type[Document], link.document_class))

    async def create_indexes(self, *models: type[Document]) -> None:
        """Create the indexes that the classes declare; part of the deployment, not of every start."""
        trees = {bound: None for model in models for bound in _inheritance_tree(model)}
        await init_beanie(self._database, document_models=list(trees))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncClientSession]:
        """A MongoDB transaction; pass the session to CRUD classes: `AuditCRUD(documents, session)`.

        It is independent of the SQL transaction. A write conflict with another transaction ends it with a 503. For the
        features that you add: nothing here uses it.

        Raises:
            TransactionsUnsupportedError: The server is not part of a replica set; nothing was changed.
        """
        if not self._has_transactions:
            hello = await self._database.client.admin.command("hello")
            if "setName" not in hello and hello.get("msg") != "isdbgrid":
                raise TransactionsUnsupportedError("MongoDB transactions need a replica set; one member is enough.")
            self._has_transactions = True
        async with self._database.client.start_session() as session, await session.start_transaction():
            yield session


def _inheritance_tree(model: type[Document]) -> list[type[Document]]:
    """All classes of a collection, parents first: Beanie forgets the children that are not bound with their parent."""
    roots = [base for base in model.mro() if getattr(base.__dict__.get("Settings"), "is_root", False)]
    tree: list[type[Document]] = roots[-1:] or [model]
    for parent in tree:
        tree += parent.__subclasses__() if roots else []
    return tree


class _DecimalCodec(TypeCodec):
    """Stores `Decimal` as Decimal128, of 34 digits."""

    python_type = Decimal
    bson_type = Decimal128

    def transform_python(self, value: Decimal) -> Decimal128:
        """Encode."""
        return Decimal128(value)

    def transform_bson(self, value: Decimal128) -> Decimal:
        """Decode."""
        return value.to_decimal()


class MongoClient(AsyncMongoClient[dict[str, Any]]):
    """PyMongo's client, whose calls end by their own timeout: a cancellation is raised once the call has ended.

    On Python 3.11 a cancellation while PyMongo waits for a server can leave the lock of its topology acquired, and no
    later call of the client would ever return.
    """

    @override
    async def _retry_internal(self, *args: Any, **kwargs: Any) -> Any:
        return await finish(super()._retry_internal(*args, **kwargs))


def create_mongo(settings: MongoSettings) -> MongoClient:
    """A client whose calls fail within `MONGO_TIMEOUT_SECONDS` while no server answers."""
    milliseconds = int(settings.timeout_seconds * 1000)
    return MongoClient(
        settings.url,
        tz_aware=True,
        uuidRepresentation="standard",
        type_registry=TypeRegistry([_DecimalCodec()]),
        serverSelectionTimeoutMS=milliseconds,
        connectTimeoutMS=milliseconds,
        timeoutMS=milliseconds,
    )
