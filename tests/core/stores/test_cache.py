import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from uuid import UUID, uuid4

import pytest
from pydantic import BaseModel, TypeAdapter

from src.core.resources import Resources
from src.core.stores.cache import Cache, CacheKey, cached
from tests.core.stores.test_faults import redis_by_proxy

NUMBER = TypeAdapter(int)


class Kind(Enum):
    ONE = "1"


class Shown(BaseModel):
    text: str


class Numbers:
    """Counts how often its value is loaded."""

    def __init__(self, cache: Cache) -> None:
        self.cache = cache
        self.loads = 0
        self.begun = asyncio.Event()
        self.go = asyncio.Event()
        self.go.set()

    async def fresh(self) -> int:
        return -1

    async def load(self) -> int:
        self.loads += 1
        self.begun.set()
        await self.go.wait()
        return self.loads


@pytest.fixture
async def key(resources: Resources) -> AsyncIterator[CacheKey[int]]:
    name = f"test-{uuid4()}"
    key = CacheKey(name, NUMBER, 60, [f"{name}-a", f"{name}-b"])
    yield key
    await resources.redis.delete(*key.redis_keys)


@pytest.fixture
async def numbers(resources: Resources) -> Numbers:
    return Numbers(Cache(resources.redis))


class TestAnEntry:
    async def test_is_loaded_once(self, numbers: Numbers, key: CacheKey[int]) -> None:
        assert [await numbers.cache.get(key, numbers.load) for _ in range(3)] == [1, 1, 1]

    async def test_is_shared_with_other_processes(
        self, numbers: Numbers, key: CacheKey[int], resources: Resources
    ) -> None:
        await numbers.cache.get(key, numbers.load)
        assert await Cache(resources.redis).get(key, numbers.load) == 1

    async def test_expires(self, numbers: Numbers, key: CacheKey[int]) -> None:
        await numbers.cache.get(key, numbers.load)
        assert 0 < await numbers.cache.redis.ttl(key.redis_keys[0]) <= 60

    async def test_that_fails_to_load_is_not_stored(self, numbers: Numbers, key: CacheKey[int]) -> None:
        async def fail() -> int:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await numbers.cache.get(key, fail)
        assert await numbers.cache.get(key, numbers.load) == 1

    @pytest.mark.parametrize("left", ["", "nonsense", 'a b\n"text"'])
    async def test_of_an_older_release_is_loaded_again(self, numbers: Numbers, key: CacheKey[int], left: str) -> None:
        redis = numbers.cache.redis
        await redis.mset({key.redis_keys[0]: left, key.redis_keys[1]: "a", key.redis_keys[2]: "b"})
        assert await numbers.cache.get(key, numbers.load) == 1


class TestATag:
    @pytest.mark.parametrize("place", [0, 1])
    async def test_invalidates_its_entries(self, numbers: Numbers, key: CacheKey[int], place: int) -> None:
        await numbers.cache.get(key, numbers.load)
        await numbers.cache.invalidate(key.tags[place])
        assert await numbers.cache.get(key, numbers.load) == 2

    async def test_invalidates_entries_that_are_being_loaded(self, numbers: Numbers, key: CacheKey[int]) -> None:
        numbers.go.clear()
        loading = asyncio.create_task(numbers.cache.get(key, numbers.load))
        await numbers.begun.wait()
        await numbers.cache.invalidate(key.tags[0])
        numbers.go.set()
        await loading
        assert await numbers.cache.get(key, numbers.load) == 2

    async def test_invalidates_them_for_callers_during_the_load(self, numbers: Numbers, key: CacheKey[int]) -> None:
        await numbers.cache.get(key, numbers.load)
        await numbers.cache.invalidate(key.tags[0])
        numbers.begun.clear()
        numbers.go.clear()
        before = asyncio.create_task(numbers.cache.get(key, numbers.load))
        await numbers.begun.wait()
        await numbers.cache.invalidate(key.tags[0])
        after = asyncio.create_task(numbers.cache.get(key, numbers.fresh))
        await asyncio.sleep(0.1)  # it waits for the lock
        numbers.go.set()
        assert (await before, await after) == (2, -1)

    async def test_expires(self, numbers: Numbers, key: CacheKey[int]) -> None:
        await numbers.cache.get(key, numbers.load)
        await numbers.cache.invalidate(key.tags[0])
        lives = [await numbers.cache.redis.ttl(redis_key) for redis_key in key.redis_keys[1:]]
        assert min(lives) > 60

    async def test_that_has_expired_invalidates_as_well(self, numbers: Numbers, key: CacheKey[int]) -> None:
        await numbers.cache.get(key, numbers.load)
        await numbers.cache.redis.delete(key.redis_keys[1])
        assert await numbers.cache.get(key, numbers.load) == 2


class TestAStampede:
    @pytest.mark.parametrize("processes", [1, 4])
    async def test_loads_a_value_once(
        self, numbers: Numbers, key: CacheKey[int], resources: Resources, processes: int
    ) -> None:
        numbers.go.clear()
        caches = [Cache(resources.redis) for _ in range(processes)]
        callers = [asyncio.create_task(cache.get(key, numbers.load)) for cache in caches for _ in range(25)]
        await numbers.begun.wait()
        numbers.go.set()
        assert await asyncio.gather(*callers) == [1] * 25 * processes

    async def test_does_not_wait_for_a_process_that_died(
        self, numbers: Numbers, key: CacheKey[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("src.core.stores.cache.WAIT_SECONDS", 0.1)
        redis = numbers.cache.redis
        await redis.set(f"lock:cache:{key.name}", "dead", px=5000)
        assert await numbers.cache.get(key, numbers.load) == 1


class TestWhileRedisIsDown:
    @pytest.mark.parametrize("fault", ["refuse", "hang", "reset"])
    async def test_values_are_loaded_again(self, resources: Resources, key: CacheKey[int], fault: str) -> None:
        async with redis_by_proxy(resources) as (redis, proxy):
            numbers = Numbers(Cache(redis))
            await numbers.cache.get(key, numbers.load)
            getattr(proxy, fault)()
            assert await numbers.cache.get(key, numbers.load) == 2

    async def test_a_value_is_returned_if_it_cannot_be_stored(self, resources: Resources, key: CacheKey[int]) -> None:
        async with redis_by_proxy(resources) as (redis, proxy):
            numbers = Numbers(Cache(redis))

            async def load() -> int:
                proxy.refuse()
                return await numbers.load()

            assert await numbers.cache.get(key, load) == 1


class TestADecoratedMethod:
    class Squares:
        loads = 0

        def __init__(self, cache: Cache) -> None:
            self.cache = cache

        @cached(f"test-squares-{uuid4()}", NUMBER, seconds=60)
        async def of(self, number: int, *, plus: int = 0) -> int:
            """The square."""
            type(self).loads += 1
            return number**2 + plus

    class Tenant:
        """A service of one tenant."""

        def __init__(self, cache: Cache, tenant: object) -> None:
            self.cache = cache
            self.tenant = tenant

        @cached(f"test-tenant-{uuid4()}", TypeAdapter(str), seconds=60)
        async def name(self, value: object = None) -> str:
            """The value and the tenant."""
            return f"{value!r} of {self.tenant!r}"

    async def test_keeps_the_types_of_its_arguments_apart(self, resources: Resources) -> None:
        values = [
            "1", 1, 1.0, True, Decimal(1), Decimal("1.0"), b"1", ("1",), ["1"], {"1"}, {"1": None}, None, "None",
            UUID(int=1), str(UUID(int=1)), date(2026, 1, 1), "2026-01-01", datetime(2026, 1, 1, tzinfo=UTC), Kind.ONE,
            timedelta(1), [["1"], []], [[], ["1"]], Shown(text="1"),
        ]  # fmt: skip
        tenant = self.Tenant(Cache(resources.redis), 1)
        for _ in range(2):
            assert [await tenant.name(value) for value in values] == [f"{value!r} of 1" for value in values]

    async def test_keeps_the_state_of_its_objects_apart(self, resources: Resources) -> None:
        tenants = [self.Tenant(Cache(resources.redis), tenant) for tenant in (1, 2, "1", None)]
        for _ in range(2):
            assert [await tenant.name() for tenant in tenants] == [f"None of {t.tenant!r}" for t in tenants]

    async def test_is_shared_by_equal_objects(self, resources: Resources) -> None:
        loads: list[int] = []

        class Counting:
            def __init__(self, cache: Cache, tenant: UUID) -> None:
                self.cache = cache
                self.tenant = tenant

            @cached(f"test-counting-{uuid4()}", NUMBER, seconds=60)
            async def value(self) -> int:
                loads.append(1)
                return len(loads)

        assert [await Counting(Cache(resources.redis), UUID(int=7)).value() for _ in range(3)] == [1, 1, 1]

    @pytest.mark.parametrize("state", [object(), asyncio.Event])
    async def test_refuses_objects_with_state_that_is_no_data(self, resources: Resources, state: object) -> None:
        with pytest.raises(TypeError, match="cache key"):
            await self.Tenant(Cache(resources.redis), state).name()

    async def test_returns_what_cannot_be_stored(self, resources: Resources) -> None:
        class Wrong:
            cache = Cache(resources.redis)

            @cached(f"test-wrong-{uuid4()}", NUMBER, seconds=60)
            async def value(self) -> int:
                return object()  # type: ignore[return-value]  # the point of the test

        assert [type(await Wrong().value()) for _ in range(2)] == [object, object]

    async def test_is_cached_by_its_arguments(self, resources: Resources) -> None:
        squares = self.Squares(Cache(resources.redis))
        answers = [await squares.of(2), await squares.of(2), await squares.of(3), await squares.of(2, plus=1)]
        assert (answers, squares.loads) == ([4, 4, 9, 5], 3)

    def test_keeps_its_name_and_description(self) -> None:
        assert (self.Squares.of.__name__, self.Squares.of.__doc__) == ("of", "The square.")
