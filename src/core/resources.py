"""The stores of one process, opened together in its lifespan and closed in reverse."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from pymongo.asynchronous.database import AsyncDatabase
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, async_sessionmaker
from sqlmodel.ext.asyncio.session import AsyncSession

from src.core.config import Settings
from src.core.effects import EventEmitter, TaskOutbox
from src.core.security.api_key import KnownKeys
from src.core.security.credential import CredentialBox
from src.core.security.hashing import HashPool
from src.core.security.throttle import LoginThrottle
from src.core.security.token import TokenIssuer
from src.core.storage.minio_storage import MinioStorage
from src.core.storage.port import FileStorage
from src.core.stores.cache import Cache
from src.core.stores.documents import Documents, create_mongo
from src.core.stores.errors import is_serialization_failure
from src.core.stores.redis_client import RedisClient, create_redis
from src.core.stores.sql import SQLDatabase
from src.core.unit_of_work import UnitOfWork
from src.utils.single_flight import SingleFlight

if TYPE_CHECKING:
    from src.core.oidc.provider import OidcProvider

T = TypeVar("T")
API_PROCESS = "api:"
"""How the names of API processes in Redis's `CLIENT LIST` begin."""


@dataclass(slots=True)
class Resources:
    """The clients of every store and service that this process has open.

    Attributes:
        engine: The primary SQL database.
        sessions: Read-write sessions on the primary; `unit_of_work` is the usual way to one.
        read_engine: The replica, or the primary if there is none; read-only.
        read_sessions: Read-only sessions without a transaction, on `read_engine`.
        read_connection: A connection to the primary without a transaction, for a single SELECT.
        databases: The databases of `SQL_DATABASES`, by name.
        known_keys: Whose the API keys are that this process was called with.
        oidc_providers: OpenID providers by name, each with what it publishes; made by the first login.
        single_flight: Lets concurrent callers of this process share one piece of work.
    """

    settings: Settings
    engine: AsyncEngine
    sessions: async_sessionmaker[AsyncSession]
    read_engine: AsyncEngine
    read_sessions: async_sessionmaker[AsyncSession]
    read_connection: Callable[[], AbstractAsyncContextManager[AsyncConnection]]
    databases: dict[str, SQLDatabase]
    redis: RedisClient
    cache: Cache
    mongo: AsyncDatabase[dict[str, Any]]
    documents: Documents
    storage: FileStorage
    hashing: HashPool
    tokens: TokenIssuer
    credentials: CredentialBox
    throttle: LoginThrottle
    tasks: TaskOutbox
    events: EventEmitter
    known_keys: KnownKeys
    oidc_providers: dict[str, "OidcProvider"] = field(default_factory=dict)
    single_flight: SingleFlight = field(default_factory=SingleFlight)

    def database(self, name: str) -> SQLDatabase:
        """One of `SQL_DATABASES`.

        Raises:
            LookupError: There is no database of this name.
        """
        if name not in self.databases:
            raise LookupError(f"SQL_DATABASES has no database {name!r}.")
        return self.databases[name]

    @asynccontextmanager
    async def unit_of_work(self, database: str | None = None) -> AsyncIterator[UnitOfWork]:
        """One transaction: committed when the block ends, rolled back when it raises.

        Args:
            database: A name of `SQL_DATABASES`; None is the primary. Each database has a transaction of its own.
        """
        sessions = self.sessions if database is None else self.database(database).sessions
        async with sessions() as session:
            uow = UnitOfWork(session, self.tasks, self.events)
            try:
                yield uow
                await uow.commit()
            except BaseException:
                await uow.rollback()
                raise

    async def retrying(self, work: Callable[[UnitOfWork], Awaitable[T]], *, attempts: int = 3) -> T:
        """Run `work` in a unit of work of its own; repeat both if they fail only because of other transactions.

        Those are deadlocks, and conflicts of REPEATABLE READ and SERIALIZABLE. Effects leave after the attempt that is
        committed; `work` must do nothing else that cannot be repeated. The last error is raised, as a 503.
        """
        for attempt in range(1, attempts):
            try:
                async with self.unit_of_work() as uow:
                    return await work(uow)
            except Exception as error:
                if not is_serialization_failure(error):
                    raise
                await asyncio.sleep(attempt * 0.05 * random.random())  # noqa: S311 - keeps the repeated ones apart
        async with self.unit_of_work() as uow:
            return await work(uow)


_current: Resources | None = None


def opened_resources() -> Resources | None:
    """The open resources of this process, if there are any."""
    return _current


def current_resources() -> Resources:
    """The open resources of this process.

    Raises:
        RuntimeError: They are not open: this was called outside the lifespan of the application or the worker.
    """
    if _current is None:
        raise RuntimeError("Resources are not open: call this inside the lifespan of the application or the worker.")
    return _current


@asynccontextmanager
async def open_resources(
    settings: Settings, tasks: TaskOutbox, events: EventEmitter, process: str | None = None
) -> AsyncIterator[Resources]:
    """Open the clients of every store, and close them in reverse order at the end of the block.

    No store is contacted yet: a process starts while a store is down, and answers 503 to requests that need it.

    Args:
        settings: The stores and their limits.
        tasks: Where units of work put the tasks that they send.
        events: Where they emit.
        process: The name of this process in Redis's `CLIENT LIST`.
    """
    global _current
    outer = _current
    async with AsyncExitStack() as stack:
        primary = SQLDatabase(settings.sql, settings.sql.url)
        replica = SQLDatabase(settings.sql, settings.sql.read_url, read_only=True)
        databases = {name: SQLDatabase(settings.sql, url) for name, url in settings.sql.named_urls.items()}
        for database in (primary, replica, *databases.values()):
            stack.push_async_callback(database.engine.dispose)
        redis = create_redis(settings.redis, process)
        stack.push_async_callback(redis.aclose)
        mongo = create_mongo(settings.mongo)
        stack.push_async_callback(mongo.close)
        storage = MinioStorage(settings.s3)
        stack.callback(storage.close)
        hashing = HashPool(settings.auth.hash_threads, settings.auth.hash_queue)
        stack.callback(hashing.close)
        _current = Resources(
            settings=settings,
            databases=databases,
            engine=primary.engine,
            sessions=primary.sessions,
            read_engine=replica.engine,
            read_sessions=replica.sessions,
            read_connection=primary.without_transaction.connect,
            redis=redis,
            cache=Cache(redis),
            mongo=mongo[settings.mongo.database],
            documents=Documents(mongo[settings.mongo.database]),
            storage=storage,
            hashing=hashing,
            tokens=TokenIssuer(settings.auth),
            credentials=CredentialBox(settings.auth),
            throttle=LoginThrottle(redis, settings.auth),
            tasks=tasks,
            events=events,
            known_keys=KnownKeys(settings.auth.permission_cache_seconds),
        )
        try:
            yield _current
        finally:
            _current = outer
