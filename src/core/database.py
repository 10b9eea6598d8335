"""The stores of one process, opened together in its lifespan and closed in reverse."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import urllib3
from minio import Minio
from pymongo import AsyncMongoClient
from pymongo.asynchronous.database import AsyncDatabase
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

from src.core.config import Settings
from src.core.config_stores import MongoSettings, RedisSettings, S3Settings, SQLSettings
from src.core.credential import CredentialBox
from src.core.documents import Documents
from src.core.effects import EventEmitter, TaskOutbox
from src.core.hashing import HashPool
from src.core.minio_storage import MinioStorage
from src.core.single_flight import SingleFlight
from src.core.storage import FileStorage
from src.core.throttle import LoginThrottle
from src.core.token import TokenIssuer
from src.core.unit_of_work import UnitOfWork

MongoClient = AsyncMongoClient[dict[str, Any]]


@dataclass(slots=True)
class Resources:
    """Everything that this process holds open."""

    settings: Settings
    engine: AsyncEngine
    sessions: async_sessionmaker[AsyncSession]
    redis: Redis
    mongo: AsyncDatabase[dict[str, Any]]
    documents: Documents
    s3: Minio
    storage: FileStorage
    hashing: HashPool
    tokens: TokenIssuer
    credentials: CredentialBox
    throttle: LoginThrottle
    tasks: TaskOutbox
    events: EventEmitter
    flights: SingleFlight = field(default_factory=SingleFlight)

    @asynccontextmanager
    async def unit_of_work(self) -> AsyncIterator[UnitOfWork]:
        """One transaction: committed when the block ends, rolled back when it raises."""
        async with self.sessions() as session:
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
        engine = create_engine(settings.sql)
        stack.push_async_callback(engine.dispose)
        redis = create_redis(settings.redis)
        stack.push_async_callback(redis.aclose)
        mongo = create_mongo(settings.mongo)
        stack.push_async_callback(mongo.close)
        s3, pool = create_s3(settings.s3)
        stack.callback(pool.clear)
        storage = MinioStorage(s3, settings.s3)
        stack.callback(storage.close)
        hashing = HashPool(settings.auth.hash_threads, settings.auth.hash_queue)
        stack.callback(hashing.close)
        _current = Resources(
            settings=settings,
            engine=engine,
            sessions=async_sessionmaker(engine, class_=AsyncSession, expire_on_commit=False),
            redis=redis,
            mongo=mongo[settings.mongo.database],
            documents=Documents(mongo[settings.mongo.database]),
            s3=s3,
            storage=storage,
            hashing=hashing,
            tokens=TokenIssuer(settings.auth),
            credentials=CredentialBox(settings.auth),
            throttle=LoginThrottle(redis, settings.auth),
            tasks=tasks,
            events=events,
        )
        try:
            yield _current
        finally:
            _current = None


def create_engine(settings: SQLSettings) -> AsyncEngine:
    """An engine that gives up in time: on connecting, on the pool, on a lock and on a silent server."""
    engine = create_async_engine(
        settings.url,
        hide_parameters=True,  # they would stand in the log with every error
        pool_size=settings.pool_size,
        max_overflow=settings.max_overflow,
        pool_timeout=settings.pool_timeout_seconds,
        connect_args={
            "timeout": settings.connect_timeout_seconds,
            "command_timeout": settings.command_timeout_seconds,
            "server_settings": {
                "lock_timeout": str(int(settings.lock_timeout_seconds * 1000)),
                "statement_timeout": str(int(settings.command_timeout_seconds * 1000)),
                "timezone": "UTC",
            },
        },
    )
    event.listen(engine.sync_engine, "checkout", _replace_closed)
    return engine


def _replace_closed(connection: Any, _record: object, _proxy: object) -> None:
    """After a restart of the server the pool connects anew; asyncpg knows that, so no ping is needed."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


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


def create_s3(settings: S3Settings) -> tuple[Minio, urllib3.PoolManager]:
    """The MinIO SDK and the connection pool to close after it; it blocks, so call it in threads."""
    pool = urllib3.PoolManager(
        maxsize=8,  # of them are kept, as many as there are threads
        timeout=urllib3.Timeout(connect=settings.timeout_seconds, read=settings.timeout_seconds),
        retries=urllib3.Retry(total=1, redirect=0),
    )
    return Minio(**settings.client_options(), http_client=pool), pool
