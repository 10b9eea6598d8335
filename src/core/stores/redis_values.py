"""Typed values in Redis, stored as JSON. For the features that you add: nothing here uses them.

A `TypeAdapter` gives the type; build it once, at import:

NUMBERS = TypeAdapter(list[int])
await redis.set_json("numbers", [1, 2], NUMBERS, seconds=60)
await redis.get_json("numbers", NUMBERS)
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline

T = TypeVar("T")


class RedisValues(Redis):
    """Methods for typed values, on the client and on its transactions."""

    async def get_json(self, key: str, adapter: TypeAdapter[T]) -> T | None:
        """The value of a key, None if it does not exist.

        Raises:
            ValidationError: The stored value is of another type.
        """
        found = await self.get(key)
        return None if found is None else adapter.validate_json(found)

    async def set_json(
        self, key: str, value: T, adapter: TypeAdapter[T], *, seconds: float | None = None, only_new: bool = False
    ) -> bool:
        """Store a value, for `seconds` or forever; with `only_new`, keep an existing one and return False."""
        milliseconds = None if seconds is None else max(1, round(seconds * 1000))
        return bool(await self.set(key, adapter.dump_json(value), px=milliseconds, nx=only_new))

    def json_hash(self, key: str, adapter: TypeAdapter[T]) -> "RedisHash[T]":
        """The hash under a key: values by field."""
        return RedisHash(self, key, adapter)

    def json_list(self, key: str, adapter: TypeAdapter[T]) -> "RedisList[T]":
        """The list under a key."""
        return RedisList(self, key, adapter)

    def json_set(self, key: str, adapter: TypeAdapter[T]) -> "RedisSet[T]":
        """The set under a key; values with equal JSON are equal."""
        return RedisSet(self, key, adapter)


class _Structure(Generic[T]):
    def __init__(self, redis: Redis, key: str, adapter: TypeAdapter[T]) -> None:
        self.redis = redis
        self.key = key
        self.adapter = adapter

    def _dump(self, value: T) -> str:
        return self.adapter.dump_json(value).decode()

    async def expire(self, seconds: int) -> None:
        """Delete the whole structure after some seconds."""
        await self.redis.expire(self.key, seconds)


class RedisHash(_Structure[T]):
    """Values by field."""

    async def get(self, field: str) -> T | None:
        """The value of a field, None if it does not exist."""
        found = await self.redis.hget(self.key, field)
        return None if found is None else self.adapter.validate_json(found)

    async def all(self) -> dict[str, T]:
        """All values by field."""
        found = await self.redis.hgetall(self.key)
        return {str(field): self.adapter.validate_json(value) for field, value in found.items()}

    async def set(self, values: Mapping[str, T]) -> None:
        """Set fields, at least one; other fields keep their values."""
        await self.redis.hset(self.key, mapping={field: self._dump(value) for field, value in values.items()})

    async def delete(self, *fields: str) -> int:
        """Delete fields, and return how many existed."""
        return _count(await self.redis.hdel(self.key, *fields))


class RedisList(_Structure[T]):
    """Values in order."""

    async def push(self, *values: T, keep: int | None = None) -> None:
        """Append values, at least one; `keep` limits the list to that many of the newest."""
        async with _transaction(self.redis) as pipe:
            await pipe.rpush(self.key, *map(self._dump, values))
            if keep is not None:
                await pipe.ltrim(self.key, -keep, -1)

    async def pop(self) -> T | None:
        """Remove and return the first value, None if the list is empty."""
        found: Any = await self.redis.lpop(self.key)
        return None if found is None else self.adapter.validate_json(found)

    async def range(self, first: int = 0, last: int = -1) -> list[T]:
        """The values from index to index, both included; negative indexes count from the end."""
        return [self.adapter.validate_json(value) for value in await self.redis.lrange(self.key, first, last)]


class RedisSet(_Structure[T]):
    """Distinct values, unordered."""

    async def add(self, *values: T) -> int:
        """Add values, at least one, and return how many were new."""
        return _count(await self.redis.sadd(self.key, *map(self._dump, values)))

    async def remove(self, *values: T) -> int:
        """Remove values, and return how many were in the set."""
        return _count(await self.redis.srem(self.key, *map(self._dump, values)))

    async def all(self) -> Iterable[T]:
        """All values, unordered."""
        return [self.adapter.validate_json(value) for value in await self.redis.smembers(self.key)]

    async def has(self, value: T) -> bool:
        """Whether a value is in the set."""
        return bool(await self.redis.sismember(self.key, self._dump(value)))


@asynccontextmanager
async def _transaction(redis: Redis) -> AsyncIterator[Redis]:
    """A transaction of its own, or the one that `redis` already is."""
    if isinstance(redis, Pipeline):
        yield redis
        return
    async with redis.pipeline(transaction=True) as pipe:
        yield pipe
        await pipe.execute()


def _count(reply: Any) -> int:
    """The number that Redis replied; 0 in a transaction, whose replies are not there yet."""
    return reply if isinstance(reply, int) else 0
