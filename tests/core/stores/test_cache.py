import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from pydantic import TypeAdapter

from src.core.resources import Resources
from src.core.stores.cache import Cache, Entry, cached
from tests.core.stores.test_sql import redis_by_proxy

NUMBER = TypeAdapter(int)


class Numbers:
    """Counts how often its answer is made."""

    def __init__(self, cache: Cache) -> None:
        self.cache = cache
        self.made = 0
        self.begun = asyncio.Event()
        self.go = asyncio.Event()
        self.go.set()

    async def fresh(self) -> int:
        return -1

    async def make(self) -> int:
        self.made += 1
        self.begun.set()
        await self.go.wait()
        return self.made


@pytest.fixture
async def entry(resources: Resources) -> AsyncIterator[Entry[int]]:
    name = f"test-{uuid4()}"
    entry = Entry(name, NUMBER, 60, [f"{name}-a", f"{name}-b"])
    yield entry
    await resources.redis.delete(*entry.keys)


@pytest.fixture
async def numbers(resources: Resources) -> Numbers:
    return Numbers(Cache(resources.redis))


class TestAnEntry:
    async def test_is_made_once(self, numbers: Numbers, entry: Entry[int]) -> None:
        assert [await numbers.cache.get(entry, numbers.make) for _ in range(3)] == [1, 1, 1]

    async def test_serves_other_processes(self, numbers: Numbers, entry: Entry[int], resources: Resources) -> None:
        await numbers.cache.get(entry, numbers.make)
        assert await Cache(resources.redis).get(entry, numbers.make) == 1

    async def test_lasts_as_long_as_it_was_told(self, numbers: Numbers, entry: Entry[int]) -> None:
        await numbers.cache.get(entry, numbers.make)
        assert 0 < await numbers.cache.redis.ttl(entry.keys[0]) <= 60

    async def test_that_cannot_be_made_is_not_kept(self, numbers: Numbers, entry: Entry[int]) -> None:
        async def fail() -> int:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await numbers.cache.get(entry, fail)
        assert await numbers.cache.get(entry, numbers.make) == 1

    @pytest.mark.parametrize("left", ["", "nonsense", 'a b\n"text"'])
    async def test_of_an_older_release_is_made_anew(self, numbers: Numbers, entry: Entry[int], left: str) -> None:
        redis = numbers.cache.redis
        await redis.mset({entry.keys[0]: left, entry.keys[1]: "a", entry.keys[2]: "b"})
        assert await numbers.cache.get(entry, numbers.make) == 1


class TestATag:
    @pytest.mark.parametrize("place", [0, 1])
    async def test_outdates_its_entries(self, numbers: Numbers, entry: Entry[int], place: int) -> None:
        await numbers.cache.get(entry, numbers.make)
        await numbers.cache.invalidate(entry.tags[place])
        assert await numbers.cache.get(entry, numbers.make) == 2

    async def test_outdates_what_is_being_made(self, numbers: Numbers, entry: Entry[int]) -> None:
        numbers.go.clear()
        making = asyncio.create_task(numbers.cache.get(entry, numbers.make))
        await numbers.begun.wait()
        await numbers.cache.invalidate(entry.tags[0])
        numbers.go.set()
        await making
        assert await numbers.cache.get(entry, numbers.make) == 2

    async def test_outdates_it_for_those_who_ask_while_it_is_still_being_made(
        self, numbers: Numbers, entry: Entry[int]
    ) -> None:
        await numbers.cache.get(entry, numbers.make)
        await numbers.cache.invalidate(entry.tags[0])
        numbers.begun.clear()
        numbers.go.clear()
        before = asyncio.create_task(numbers.cache.get(entry, numbers.make))
        await numbers.begun.wait()
        await numbers.cache.invalidate(entry.tags[0])
        after = asyncio.create_task(numbers.cache.get(entry, numbers.fresh))
        await asyncio.sleep(0.1)  # it has come as far as it gets
        numbers.go.set()
        assert (await before, await after) == (2, -1)

    async def test_is_not_kept_for_good(self, numbers: Numbers, entry: Entry[int]) -> None:
        await numbers.cache.get(entry, numbers.make)
        await numbers.cache.invalidate(entry.tags[0])
        lives = [await numbers.cache.redis.ttl(key) for key in entry.keys[1:]]
        assert min(lives) > 60

    async def test_that_redis_forgot_outdates_as_well(self, numbers: Numbers, entry: Entry[int]) -> None:
        await numbers.cache.get(entry, numbers.make)
        await numbers.cache.redis.delete(entry.keys[1])
        assert await numbers.cache.get(entry, numbers.make) == 2


class TestAStampede:
    @pytest.mark.parametrize("processes", [1, 4])
    async def test_makes_an_entry_once(
        self, numbers: Numbers, entry: Entry[int], resources: Resources, processes: int
    ) -> None:
        numbers.go.clear()
        caches = [Cache(resources.redis) for _ in range(processes)]
        callers = [asyncio.create_task(cache.get(entry, numbers.make)) for cache in caches for _ in range(25)]
        await numbers.begun.wait()
        numbers.go.set()
        assert await asyncio.gather(*callers) == [1] * 25 * processes

    async def test_does_not_wait_for_a_process_that_died(
        self, numbers: Numbers, entry: Entry[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("src.core.stores.cache.WAIT_SECONDS", 0.1)
        redis = numbers.cache.redis
        await redis.set(f"lock:cache:{entry.key}", "dead", px=5000)
        assert await numbers.cache.get(entry, numbers.make) == 1


class TestWhileRedisIsAway:
    @pytest.mark.parametrize("fault", ["refuse", "hang", "reset"])
    async def test_answers_are_made_anew(self, resources: Resources, entry: Entry[int], fault: str) -> None:
        async with redis_by_proxy(resources) as (redis, proxy):
            numbers = Numbers(Cache(redis))
            await numbers.cache.get(entry, numbers.make)
            getattr(proxy, fault)()
            assert await numbers.cache.get(entry, numbers.make) == 2

    async def test_one_that_goes_away_meanwhile_takes_no_answer_along(
        self, resources: Resources, entry: Entry[int]
    ) -> None:
        async with redis_by_proxy(resources) as (redis, proxy):
            numbers = Numbers(Cache(redis))

            async def make() -> int:
                proxy.refuse()
                return await numbers.make()

            assert await numbers.cache.get(entry, make) == 1


class TestADecoratedMethod:
    class Squares:
        def __init__(self, cache: Cache) -> None:
            self.cache = cache
            self.made = 0

        @cached(f"test-squares-{uuid4()}", NUMBER, seconds=60)
        async def of(self, number: int, *, plus: int = 0) -> int:
            """The square."""
            self.made += 1
            return number**2 + plus

    async def test_is_kept_by_its_arguments(self, resources: Resources) -> None:
        squares = self.Squares(Cache(resources.redis))
        answers = [await squares.of(2), await squares.of(2), await squares.of(3), await squares.of(2, plus=1)]
        assert (answers, squares.made) == ([4, 4, 9, 5], 3)

    def test_keeps_its_name_and_description(self) -> None:
        assert (self.Squares.of.__name__, self.Squares.of.__doc__) == ("of", "The square.")
