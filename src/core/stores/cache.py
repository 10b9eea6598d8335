"""What is slow to find out and rarely changes, kept in Redis for all processes.

An entry carries the stamps that its tags had when it was begun; giving a tag another stamp outdates every entry that
carries the old one, those that are being made at this moment too. So nothing stale is kept beyond an `invalidate`.
"""

import hashlib
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from functools import wraps
from math import ceil
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, cast

import structlog
from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json
from redis.exceptions import RedisError

from src.core.exceptions import ConflictError
from src.core.stores.redis_client import RedisClient
from src.utils.single_flight import SingleFlight

log = structlog.get_logger(__name__)

T = TypeVar("T")
P = ParamSpec("P")

# One process makes an entry while the others wait this long for it; then they make it themselves.
WAIT_SECONDS = 2.0
# When the one that makes it died, the next may start after this.
LEASE_SECONDS = 10.0
# A tag's stamp may be forgotten, for that outdates its entries: so long it is kept at least.
STAMP_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """What is kept: under which key, of which type, for how long, and outdated by which tags."""

    key: str
    kind: TypeAdapter[T]
    seconds: float
    tags: Sequence[str] = ()

    @property
    def keys(self) -> list[str]:
        """Those of the entry and of its tags' stamps."""
        return [f"cache:{self.key}", *(f"cache-tag:{tag}" for tag in self.tags)]


class Cache:
    """Entries in Redis; while Redis is away everything is made anew, once at a time in each process."""

    def __init__(self, redis: RedisClient) -> None:
        self.redis = redis
        self._flights = SingleFlight()

    async def get(self, entry: Entry[T], make: Callable[[], Awaitable[T]]) -> T:
        """What is kept, or what `make` makes: of all processes that miss it at the same moment, one does.

        Args:
            entry: Which.
            make: Its work is shared by callers, whose results are the same object: it must not use what belongs to one
                of them, such as the session of a request. What it raises they all get, and nothing is kept.
        """
        try:
            kept = _decode(entry, await self.redis.mget(entry.keys))
            if not kept.values:
                kept = await self._read_stamped(entry)
        except RedisError as error:
            _note(entry, error)
            return await self._flights.do(entry.key, make)
        if kept.values:
            return kept.values[0]
        # Under the stamps, too: who asks after an `invalidate` must not get what was begun before it.
        return await self._flights.do((entry.key, kept.stamps), lambda: self._make_in_turn(entry, make))

    async def invalidate(self, *tags: str) -> None:
        """Forget all entries with any of these tags; call it after the commit of what they are made of."""
        async with self.redis.pipeline(transaction=True) as pipe:
            for tag in tags:
                await pipe.set(f"cache-tag:{tag}", _stamp(), ex=STAMP_SECONDS)
            await pipe.execute()

    async def _make_in_turn(self, entry: Entry[T], make: Callable[[], Awaitable[T]]) -> T:
        async with AsyncExitStack() as stack:
            try:
                await self._wait_for_turn(entry, stack)
                kept = await self._read_stamped(entry)
            except RedisError as error:
                _note(entry, error)
                return await make()
            if kept.values:
                return kept.values[0]
            value = await make()
            await self._keep(entry, value, kept.stamps)
            return value

    async def _wait_for_turn(self, entry: Entry[T], stack: AsyncExitStack) -> None:
        turn = self.redis.exclusive(f"cache:{entry.key}", seconds=LEASE_SECONDS, wait_seconds=WAIT_SECONDS)
        with suppress(ConflictError):  # whoever has it takes too long
            await stack.enter_async_context(turn)

    async def _read_stamped(self, entry: Entry[T]) -> "_Kept[T]":
        """The same once more, after giving a stamp to tags that have none."""
        async with self.redis.pipeline(transaction=True) as pipe:
            for key in entry.keys[1:]:
                await pipe.set(key, _stamp(), nx=True, ex=max(STAMP_SECONDS, ceil(entry.seconds)))
            await pipe.mget(entry.keys)
            return _decode(entry, (await pipe.execute())[-1])

    async def _keep(self, entry: Entry[T], value: T, stamps: str) -> None:
        text = f"{stamps}\n{entry.kind.dump_json(value).decode()}"
        try:
            await self.redis.set(entry.keys[0], text, px=max(1, round(entry.seconds * 1000)))
        except RedisError as error:
            _note(entry, error)


@dataclass(frozen=True, slots=True)
class _Kept(Generic[T]):
    """The tags' stamps as they are now, and the value in a list, which is empty when it has to be made."""

    stamps: str
    values: Sequence[T] = ()


def _decode(entry: Entry[T], found: Sequence[Any]) -> _Kept[T]:
    text, *stamps = found
    present = " ".join(stamp or "?" for stamp in stamps)
    seen, _, body = (text or "").partition("\n")
    if text is None or seen != present or None in stamps:
        return _Kept(present)
    try:
        return _Kept(present, [entry.kind.validate_json(body)])
    except ValidationError:  # of an older release
        return _Kept(present)


def _stamp() -> str:
    return secrets.token_hex(8)


def _note(entry: Entry[Any], error: RedisError) -> None:
    log.warning("cache_unavailable", key=entry.key, reason=type(error).__name__)


class HasCache(Protocol):
    """Whoever has methods that are cached."""

    @property
    def cache(self) -> Cache:
        """Where they are."""


OwnerT = TypeVar("OwnerT", bound=HasCache)
Method = Callable[Concatenate[OwnerT, P], Coroutine[Any, Any, T]]


def cached(
    name: str, kind: TypeAdapter[T], *, seconds: float, tags: Sequence[str] = ()
) -> Callable[[Method[OwnerT, P, T]], Method[OwnerT, P, T]]:
    """Keep what a method answers, by its arguments, which must be JSON; `Cache.get` says what the method must not use.

    Args:
        name: Of the entries, in Redis; the arguments' digest follows it.
        kind: What the method answers.
        seconds: How long an entry is kept at most.
        tags: What outdates it before.
    """

    def decorate(method: Method[OwnerT, P, T]) -> Method[OwnerT, P, T]:
        @wraps(method)
        async def get(owner: OwnerT, /, *args: P.args, **kwargs: P.kwargs) -> T:
            digest = hashlib.sha256(to_json([args, sorted(kwargs.items())])).hexdigest()[:32]
            entry = Entry(f"{name}:{digest}" if args or kwargs else name, kind, seconds, tags)
            return await owner.cache.get(entry, lambda: method(owner, *args, **kwargs))

        return cast(Method[OwnerT, P, T], get)

    return decorate
