"""A shared cache in Redis, with invalidation by tag and stampede protection.

An entry is stored with the versions that its tags had when its value began to load. A new version of a tag invalidates
every entry with the old one, entries that are still being loaded included: no value that is older than `invalidate` is
ever stored or returned.
"""

import secrets
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from functools import wraps
from math import ceil
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, cast

import structlog
from prometheus_client import Counter
from pydantic import TypeAdapter, ValidationError
from redis.exceptions import RedisError

from src.core.exceptions import ConflictError
from src.core.stores.cache_keys import digest
from src.core.stores.redis_client import RedisClient
from src.utils.single_flight import SingleFlight

log = structlog.get_logger(__name__)

READS = Counter("cache_reads", "Reads of the shared cache.", ["result"])
HITS, MISSES, UNAVAILABLE = (READS.labels(result) for result in ("hit", "miss", "unavailable"))

T = TypeVar("T")
P = ParamSpec("P")

# One process loads a value; the others wait for it this long, then load it themselves.
WAIT_SECONDS = 2.0
# The lock of a process that died while it loaded expires after this time.
LOCK_SECONDS = 10.0
# The minimum lifetime of a tag's version. When a version expires, its entries are invalid.
VERSION_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class CacheKey(Generic[T]):
    """The key of an entry, the type of its value, its lifetime, and the tags that invalidate it."""

    name: str
    adapter: TypeAdapter[T]
    seconds: float
    tags: Sequence[str] = ()

    @property
    def redis_keys(self) -> list[str]:
        """The Redis keys of the entry and of its tags' versions."""
        return [f"cache:{self.name}", *(f"cache-tag:{tag}" for tag in self.tags)]


class Cache:
    """The cache of a process; while Redis is down, each value is loaded anew, but once at a time per process."""

    def __init__(self, redis: RedisClient) -> None:
        self.redis = redis
        self._single_flight = SingleFlight()

    async def get(self, key: CacheKey[T], load: Callable[[], Awaitable[T]]) -> T:
        """The cached value, or what `load` returns; of all processes that miss at the same moment, one loads it.

        Args:
            key: The entry.
            load: Its result is shared: concurrent callers get the same object. So it must not use anything that belongs
                to one of them, such as the session of a request. If it raises, all of them get the error, and nothing
                is cached.
        """
        try:
            found = _decode(key, await self.redis.mget(key.redis_keys))
            if not found.values:
                found = await self._read_with_versions(key)
        except RedisError as error:
            UNAVAILABLE.inc()
            _log_unavailable(key, error)
            return await self._single_flight.do(key.name, load)
        if found.values:
            HITS.inc()
            return found.values[0]
        MISSES.inc()
        # By versions as well: a caller after an `invalidate` must not get a value whose load began before it.
        return await self._single_flight.do((key.name, found.versions), lambda: self._load_under_lock(key, load))

    async def invalidate(self, *tags: str) -> None:
        """Invalidate all entries with any of these tags; call it after the commit of the data that they come from."""
        async with self.redis.atomic() as transaction:
            for tag in tags:
                await transaction.set(f"cache-tag:{tag}", _new_version(), ex=VERSION_SECONDS)

    async def _load_under_lock(self, key: CacheKey[T], load: Callable[[], Awaitable[T]]) -> T:
        async with AsyncExitStack() as stack:
            try:
                lock = self.redis.exclusive(f"cache:{key.name}", seconds=LOCK_SECONDS, wait_seconds=WAIT_SECONDS)
                with suppress(ConflictError):  # the process that holds the lock is too slow
                    await stack.enter_async_context(lock)
                found = await self._read_with_versions(key)
            except RedisError as error:
                _log_unavailable(key, error)
                return await load()
            if found.values:
                return found.values[0]
            value = await load()
            await self._store(key, value, found.versions)
            return value

    async def _read_with_versions(self, key: CacheKey[T]) -> "_Found[T]":
        """Read the entry, after giving a version to tags that have none."""
        async with self.redis.pipeline(transaction=True) as pipe:
            for tag_key in key.redis_keys[1:]:
                await pipe.set(tag_key, _new_version(), nx=True, ex=max(VERSION_SECONDS, ceil(key.seconds)))
            await pipe.mget(key.redis_keys)
            return _decode(key, (await pipe.execute())[-1])

    async def _store(self, key: CacheKey[T], value: T, versions: str) -> None:
        try:
            body = key.adapter.dump_json(value, warnings="error").decode()
        except (ValueError, TypeError) as error:
            log.warning("cache_refused", key=key.name, reason=str(error))
            return
        text = f"{versions}\n{body}"
        try:
            await self.redis.set(key.redis_keys[0], text, px=max(1, round(key.seconds * 1000)))
        except RedisError as error:
            _log_unavailable(key, error)


@dataclass(frozen=True, slots=True)
class _Found(Generic[T]):
    """The present versions of the tags, and the valid value in a list, which is empty on a miss."""

    versions: str
    values: Sequence[T] = ()


def _decode(key: CacheKey[T], replies: Sequence[Any]) -> _Found[T]:
    text, *versions = replies
    present = " ".join(version or "?" for version in versions)
    stored, _, body = (text or "").partition("\n")
    if text is None or stored != present or None in versions:
        return _Found(present)
    try:
        return _Found(present, [key.adapter.validate_json(body)])
    except ValidationError:  # stored by an older release
        return _Found(present)


def _new_version() -> str:
    return secrets.token_hex(8)


def _log_unavailable(key: CacheKey[Any], error: RedisError) -> None:
    log.warning("cache_unavailable", key=key.name, reason=type(error).__name__)


class HasCache(Protocol):
    """An object whose methods can be `cached`."""

    @property
    def cache(self) -> Cache:
        """The cache that they use."""


OwnerT = TypeVar("OwnerT", bound=HasCache)
Method = Callable[Concatenate[OwnerT, P], Coroutine[Any, Any, T]]


def cached(
    name: str, adapter: TypeAdapter[T], *, seconds: float, tags: Sequence[str] = ()
) -> Callable[[Method[OwnerT, P, T]], Method[OwnerT, P, T]]:
    """Cache the result of a method by its arguments and by the attributes of its object, which must be plain data.

    The method must not use anything that belongs to one caller; see `Cache.get`. So its object may hold nothing but
    plain data (a tenant's id), its cache, and an object with the same cache (`Resources`): else it raises `TypeError`.

    Args:
        name: The name of the entries; a digest of the arguments and attributes is appended.
        adapter: The type of the result. One that cannot be stored is returned, and not cached.
        seconds: The lifetime of an entry.
        tags: The tags that invalidate entries before.
    """

    def decorate(method: Method[OwnerT, P, T]) -> Method[OwnerT, P, T]:
        @wraps(method)
        async def get(owner: OwnerT, /, *args: P.args, **kwargs: P.kwargs) -> T:
            state = _state_of(owner)
            own_name = f"{name}:{digest([args, kwargs, state])}" if args or kwargs or state else name
            key = CacheKey(own_name, adapter, seconds, tags)
            return await owner.cache.get(key, lambda: method(owner, *args, **kwargs))

        return cast(Method[OwnerT, P, T], get)

    return decorate


def _state_of(owner: HasCache) -> dict[str, Any]:
    """The attributes of an object, without its cache and what holds it."""
    slots = {name for kind in type(owner).__mro__ for name in getattr(kind, "__slots__", ()) if hasattr(owner, name)}
    attributes = {name: getattr(owner, name) for name in slots} | getattr(owner, "__dict__", {})
    return {
        name: value
        for name, value in attributes.items()
        if value is not owner.cache and getattr(value, "cache", None) is not owner.cache
    }
