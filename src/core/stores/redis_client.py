"""Typed values in Redis, thin over redis-py.

A value is kept as JSON; its type is given by a `TypeAdapter`, made once, at import:

NUMBERS = TypeAdapter(list[int])
client = RedisClient(resources.redis)
await client.set("numbers", [1, 2], NUMBERS, seconds=60)
await client.get("numbers", NUMBERS)
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter
from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from src.core.config.stores import RedisSettings
from src.core.exceptions import ConflictError

T = TypeVar("T")

# How often somebody who waits for a lock asks again.
_POLL_SECONDS = 0.02


class RedisClient:
    """Values, structures, pipelines and locks; errors of the connection are redis-py's, and end as a 503.

    Attributes:
        redis: The client beneath, for everything else.
    """

    def __init__(self, redis: Redis) -> None:
        self.redis = redis

    async def get(self, key: str, kind: TypeAdapter[T]) -> T | None:
        """The value, None when there is none.

        Raises:
            ValidationError: What is there is of another type.
        """
        found = await self.redis.get(key)
        return None if found is None else kind.validate_json(found)

    async def set(
        self, key: str, value: T, kind: TypeAdapter[T], *, seconds: float | None = None, only_new: bool = False
    ) -> bool:
        """Keep a value, for some seconds or for good; `only_new` leaves one that is there, and answers False."""
        milliseconds = None if seconds is None else max(1, round(seconds * 1000))
        return bool(await self.redis.set(key, kind.dump_json(value), px=milliseconds, nx=only_new))

    async def delete(self, *keys: str) -> int:
        """Forget keys of any kind; answers how many there were."""
        return _count(await self.redis.delete(*keys))

    def hash(self, key: str, kind: TypeAdapter[T]) -> "RedisHash[T]":
        """Values by field, under one key."""
        return RedisHash(self.redis, key, kind)

    def queue(self, key: str, kind: TypeAdapter[T]) -> "RedisList[T]":
        """Values in a row, under one key."""
        return RedisList(self.redis, key, kind)

    def members(self, key: str, kind: TypeAdapter[T]) -> "RedisSet[T]":
        """Values that are there or not, under one key."""
        return RedisSet(self.redis, key, kind)

    @asynccontextmanager
    async def pipeline(self) -> AsyncIterator["RedisClient"]:
        """Send what is written through this client at the end of the block: in one round trip, all or nothing.

        It only writes: what it would read, or count, is not there yet. When the block raises, nothing is sent.
        """
        async with _at_once(self.redis) as pipe:
            yield RedisClient(pipe)

    @asynccontextmanager
    async def lock(self, name: str, *, seconds: float, wait_seconds: float = 0) -> AsyncIterator[None]:
        """Be the only one, among all processes, for as long as the block lasts, but no longer than `seconds`.

        Raises:
            ConflictError: Somebody else held it for all of `wait_seconds`.
        """
        lock = self.redis.lock(f"lock:{name}", timeout=seconds, blocking_timeout=wait_seconds, sleep=_POLL_SECONDS)
        if not await lock.acquire():
            raise ConflictError("Somebody else is doing this.", error="resource.locked")
        try:
            yield
        finally:
            # It took longer, and may be somebody else's by now; or Redis is away, and its time ends it.
            with suppress(RedisError):
                await lock.release()


@asynccontextmanager
async def _at_once(redis: Redis) -> AsyncIterator[Redis]:
    """A pipeline, sent at the end of the block; the one that this is already goes on."""
    if isinstance(redis, Pipeline):
        yield redis
        return
    async with redis.pipeline(transaction=True) as pipe:
        yield pipe
        await pipe.execute()


def _count(answer: Any) -> int:
    """A number that Redis has answered; in a pipeline it has not yet, which counts as none."""
    return answer if isinstance(answer, int) else 0


class _Structure(Generic[T]):
    def __init__(self, redis: Redis, key: str, kind: TypeAdapter[T]) -> None:
        self.redis = redis
        self.key = key
        self.kind = kind

    def _dump(self, value: T) -> str:
        return self.kind.dump_json(value).decode()

    async def expire(self, seconds: int) -> None:
        """Forget all of it in some seconds."""
        await self.redis.expire(self.key, seconds)


class RedisHash(_Structure[T]):
    """Values by field."""

    async def get(self, field: str) -> T | None:
        """The value of a field, None when there is none."""
        found = await self.redis.hget(self.key, field)
        return None if found is None else self.kind.validate_json(found)

    async def all(self) -> dict[str, T]:
        """All values, by field."""
        found = await self.redis.hgetall(self.key)
        return {str(field): self.kind.validate_json(value) for field, value in found.items()}

    async def set(self, values: Mapping[str, T]) -> None:
        """Put values, at least one, beside those of other fields."""
        await self.redis.hset(self.key, mapping={field: self._dump(value) for field, value in values.items()})

    async def delete(self, *fields: str) -> int:
        """Forget fields; answers how many there were."""
        return _count(await self.redis.hdel(self.key, *fields))


class RedisList(_Structure[T]):
    """Values in a row."""

    async def push(self, *values: T, keep: int | None = None) -> None:
        """Put values, at least one, at the end; `keep` lets go of the oldest beyond that number."""
        async with _at_once(self.redis) as pipe:
            await pipe.rpush(self.key, *map(self._dump, values))
            if keep is not None:
                await pipe.ltrim(self.key, -keep, -1)

    async def pop(self) -> T | None:
        """Take the first one, None when there is none."""
        found: Any = await self.redis.lpop(self.key)
        return None if found is None else self.kind.validate_json(found)

    async def range(self, first: int = 0, last: int = -1) -> list[T]:
        """Values from place to place, both included; negative places count from the end."""
        return [self.kind.validate_json(value) for value in await self.redis.lrange(self.key, first, last)]


class RedisSet(_Structure[T]):
    """Values that are there or not; equal are those whose JSON is equal."""

    async def add(self, *values: T) -> int:
        """Put values, at least one; answers how many were new."""
        return _count(await self.redis.sadd(self.key, *map(self._dump, values)))

    async def remove(self, *values: T) -> int:
        """Take values out; answers how many were there."""
        return _count(await self.redis.srem(self.key, *map(self._dump, values)))

    async def all(self) -> Iterable[T]:
        """All values, in no order."""
        return [self.kind.validate_json(value) for value in await self.redis.smembers(self.key)]

    async def has(self, value: T) -> bool:
        """Whether a value is there."""
        return bool(await self.redis.sismember(self.key, self._dump(value)))


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
