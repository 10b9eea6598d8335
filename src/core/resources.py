"""The stores of one process, opened together in its lifespan and closed in reverse."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, async_sessionmaker
from sqlmodel.ext.asyncio.session import AsyncSession

from src.core.config import Settings
from src.core.config.stores import MongoSettings, RedisSettings
from src.core.effects import EventEmitter, TaskOutbox
from src.core.security.credential import CredentialBox
from src.core.security.hashing import HashPool
from src.core.security.throttle import LoginThrottle
from src.core.security.token import TokenIssuer
from src.core.storage.minio_storage import MinioStorage
from src.core.storage.port import FileStorage
from src.core.stores.cache import Cache
from src.core.stores.documents import Documents
from src.core.stores.redis_batch import RedisBatch
from src.core.stores.sql import SQLDatabase
from src.core.unit_of_work import UnitOfWork
from src.utils.single_flight import SingleFlight

MongoClient = AsyncMongoClient[dict[str, Any]]


@dataclass(slots=True)
class Resources:
    """Everything that this process holds open.

    Attributes:
        sessions: On the database that everything is written to.
        readers: Sessions that only read, of the replica where there is one, and without a transaction.
        databases: The SQL databases beside the first, by the names that `SQL_DATABASES` gives them.
        reading: A connection for a single statement that only reads: no transaction is begun and ended around it.
    """

    settings: Settings
    engine: AsyncEngine
    reading: Callable[[], AbstractAsyncContextManager[AsyncConnection]]
    sessions: async_sessionmaker[AsyncSession]
    readers: async_sessionmaker[AsyncSession]
    databases: dict[str, SQLDatabase]
    redis: Redis
    cache: Cache
    redis_batch: RedisBatch
    mongo: AsyncDatabase[dict[str, Any]]
    documents: Documents
    storage: FileStorage
    hashing: HashPool
    tokens: TokenIssuer
    credentials: CredentialBox
    throttle: LoginThrottle
    tasks: TaskOutbox
    events: EventEmitter
    single_flight: SingleFlight = field(default_factory=SingleFlight)

    def database(self, name: str) -> SQLDatabase:
        """A SQL database beside the first.

        Raises:
            LookupError: `SQL_DATABASES` does not name it.
        """
        if name not in self.databases:
            raise LookupError(f"SQL_DATABASES names no database {name!r}.")
        return self.databases[name]

    @asynccontextmanager
    async def unit_of_work(self, database: str | None = None) -> AsyncIterator[UnitOfWork]:
        """One transaction: committed when the block ends, rolled back when it raises.

        Args:
            database: The name of another database than the first; its transaction is its own.
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


_current: Resources | None = None


def current_resources() -> Resources:
    """The resources that this process opened.

    Raises:
        RuntimeError: Called outside the lifespan of the application or the worker.
    """
    if _current is None:
        raise RuntimeError("No resources are open: call this inside the lifespan.")
    return _current


@asynccontextmanager
async def open_resources(settings: Settings, tasks: TaskOutbox, events: EventEmitter) -> AsyncIterator[Resources]:
    """Open the clients of every store, and make them this process's current ones.

    No store is contacted yet: a process starts while a store is away, and answers 503 until it is back.
    """
    global _current
    async with AsyncExitStack() as stack:
        first = SQLDatabase(settings.sql, settings.sql.url)
        reading = SQLDatabase(settings.sql, settings.sql.read_url, read_only=True)
        databases = {name: SQLDatabase(settings.sql, url) for name, url in settings.sql.named_urls.items()}
        for database in (first, reading, *databases.values()):
            stack.push_async_callback(database.engine.dispose)
        redis = create_redis(settings.redis)
        stack.push_async_callback(redis.aclose)
        mongo = create_mongo(settings.mongo)
        stack.push_async_callback(mongo.close)
        storage = MinioStorage(settings.s3)
        stack.callback(storage.close)
        hashing = HashPool(settings.auth.hash_threads, settings.auth.hash_queue)
        stack.callback(hashing.close)
        batch = RedisBatch(redis)
        _current = Resources(
            settings=settings,
            engine=first.engine,
            sessions=first.sessions,
            readers=reading.sessions,
            databases=databases,
            reading=first.engine.execution_options(isolation_level="AUTOCOMMIT").connect,
            redis=redis,
            redis_batch=batch,
            cache=Cache(redis),
            mongo=mongo[settings.mongo.database],
            documents=Documents(mongo[settings.mongo.database]),
            storage=storage,
            hashing=hashing,
            tokens=TokenIssuer(settings.auth),
            credentials=CredentialBox(settings.auth),
            throttle=LoginThrottle(redis, batch, settings.auth),
            tasks=tasks,
            events=events,
        )
        try:
            yield _current
        finally:
            _current = None


def create_redis(settings: RedisSettings) -> Redis:
    """A client whose calls fail within `REDIS_TIMEOUT_SECONDS` instead of waiting and retrying."""
    pool = ConnectionPool.from_url(
        settings.url,
        max_connections=settings.max_connections,
        socket_timeout=settings.timeout_seconds,
        socket_connect_timeout=settings.timeout_seconds,
        # Once, for a connection that the server closed while nobody used it; never after a time-out.
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        decode_responses=True,
    )
    return Redis.from_pool(pool)


def create_mongo(settings: MongoSettings) -> MongoClient:
    """A client that finds a server, or says that there is none, within `MONGO_TIMEOUT_SECONDS`."""
    milliseconds = int(settings.timeout_seconds * 1000)
    return AsyncMongoClient(
        settings.url,
        tz_aware=True,
        uuidRepresentation="standard",
        serverSelectionTimeoutMS=milliseconds,
        connectTimeoutMS=milliseconds,
        timeoutMS=milliseconds,
    )
