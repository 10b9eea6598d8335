import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from src.core.exceptions import ConflictError
from src.core.resources import Resources
from src.core.stores.errors import as_unavailable
from src.core.stores.redis_client import RedisClient
from tests.core.stores.test_faults import redis_by_proxy


class Point(BaseModel):
    x: int
    label: str = ""


POINT = TypeAdapter(Point)
NUMBER = TypeAdapter(int)


@pytest.fixture
async def client(resources: Resources) -> RedisClient:
    return resources.redis


@pytest.fixture
async def key(client: RedisClient) -> AsyncIterator[str]:
    key = f"test:{uuid4()}"
    yield key
    await client.delete(key)


class TestAValue:
    async def test_is_read_as_it_was_written(self, client: RedisClient, key: str) -> None:
        await client.set_json(key, Point(x=1, label="é\x00🔑"), POINT)
        assert await client.get_json(key, POINT) == Point(x=1, label="é\x00🔑")

    async def test_that_does_not_exist_is_none(self, client: RedisClient, key: str) -> None:
        assert await client.get_json(key, POINT) is None

    async def test_expires(self, client: RedisClient, key: str) -> None:
        await client.set_json(key, 1, NUMBER, seconds=60)
        assert 59_000 < await client.pttl(key) <= 60_000

    async def test_that_exists_is_kept_by_only_new(self, client: RedisClient, key: str) -> None:
        answers = [await client.set_json(key, number, NUMBER, only_new=True) for number in (1, 2)]
        assert (answers, await client.get_json(key, NUMBER)) == ([True, False], 1)

    async def test_of_another_type_is_an_error(self, client: RedisClient, key: str) -> None:
        await client.set_json(key, 1, NUMBER)
        with pytest.raises(ValidationError):
            await client.get_json(key, POINT)

    async def test_while_redis_is_down_is_unavailable(self, resources: Resources) -> None:
        async with redis_by_proxy(resources) as (redis, proxy):
            proxy.refuse()
            with pytest.raises(Exception) as caught:
                await redis.get_json("test:any", NUMBER)
        assert as_unavailable(caught.value)


class TestStructures:
    async def test_a_hash_keeps_values_by_field(self, client: RedisClient, key: str) -> None:
        points = client.json_hash(key, POINT)
        await points.set({"a": Point(x=1), "b": Point(x=2)})
        gone = await points.delete("a", "c")
        assert (gone, await points.get("a"), await points.all()) == (1, None, {"b": Point(x=2)})

    async def test_a_list_keeps_the_newest(self, client: RedisClient, key: str) -> None:
        numbers = client.json_list(key, NUMBER)
        await numbers.push(1, 2, 3, 4, keep=3)
        first = await numbers.pop()
        assert (first, await numbers.range(), await numbers.range(-1)) == (2, [3, 4], [4])

    async def test_a_set_keeps_each_once(self, client: RedisClient, key: str) -> None:
        points = client.json_set(key, POINT)
        added = [await points.add(Point(x=1), Point(x=1)), await points.add(Point(x=1), Point(x=2))]
        removed = await points.remove(Point(x=1))
        assert (added, removed, await points.all()) == ([1, 1], 1, [Point(x=2)])
        assert [await points.has(Point(x=x)) for x in (1, 2)] == [False, True]

    async def test_they_expire(self, client: RedisClient, key: str) -> None:
        numbers = client.json_list(key, NUMBER)
        await numbers.push(1)
        await numbers.expire(60)
        assert 0 < await client.ttl(key) <= 60


class TestATransaction:
    async def test_sends_everything_at_its_end(self, client: RedisClient, key: str) -> None:
        async with client.atomic() as transaction:
            await transaction.set_json(key, 1, NUMBER)
            early = await client.get_json(key, NUMBER)
        assert (early, await client.get_json(key, NUMBER)) == (None, 1)

    async def test_takes_every_write(self, client: RedisClient, key: str) -> None:
        async with client.atomic() as transaction:
            await transaction.json_list(key, NUMBER).push(1, 2, 3, keep=2)
            await transaction.json_set(f"{key}:set", NUMBER).add(1)
            await transaction.json_set(f"{key}:set", NUMBER).remove(1)
            await transaction.json_hash(f"{key}:hash", NUMBER).set({"a": 1})
            await transaction.json_hash(f"{key}:hash", NUMBER).delete("a")
            await transaction.delete(f"{key}:set")
            early = await client.exists(key)
        assert (early, await client.json_list(key, NUMBER).range()) == (0, [2, 3])

    async def test_that_fails_sends_nothing(self, client: RedisClient, key: str) -> None:
        with pytest.raises(ZeroDivisionError):
            await self.fail(client, key)
        assert await client.get_json(key, NUMBER) is None

    async def fail(self, client: RedisClient, key: str) -> None:
        async with client.atomic() as transaction:
            await transaction.set_json(key, 1, NUMBER)
            raise ZeroDivisionError


class TestALock:
    async def test_has_one_holder_at_a_time(self, client: RedisClient, key: str) -> None:
        inside, most = 0, 0

        async def enter() -> None:
            nonlocal inside, most
            async with client.exclusive(key, seconds=10, wait_seconds=10):
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0)
                inside -= 1

        await asyncio.gather(*(enter() for _ in range(10)))
        assert most == 1

    async def test_that_others_hold_is_a_conflict(self, client: RedisClient, key: str) -> None:
        async with client.exclusive(key, seconds=10):
            with pytest.raises(ConflictError):
                await client.exclusive(key, seconds=10).__aenter__()

    async def test_that_has_expired_is_not_taken_from_its_next_holder(self, client: RedisClient, key: str) -> None:
        async with client.exclusive(key, seconds=10):
            await client.set(f"lock:{key}", "somebody else")
        assert await client.get(f"lock:{key}") == "somebody else"
        await client.delete(f"lock:{key}")
