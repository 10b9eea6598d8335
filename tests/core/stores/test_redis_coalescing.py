import asyncio
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import DataError, ResponseError, WatchError

from src.core.resources import Resources
from src.core.stores.redis_client import RedisClient, create_redis
from tests.core.stores.test_faults import redis_by_proxy
from tests.support.waiting import patience


@pytest.fixture
def redis(resources: Resources) -> RedisClient:
    return resources.redis


def started(redis: RedisClient, *command: Any) -> asyncio.Task[Any]:
    return asyncio.create_task(redis.execute_command(*command))


async def reads_processed(redis: RedisClient) -> int:
    return int((await redis.info("stats"))["total_reads_processed"])


class TestCommandsOfOneIteration:
    async def test_get_their_own_replies(self, redis: RedisClient) -> None:
        replies = await asyncio.gather(*(redis.echo(f"{number}") for number in range(100)))
        assert replies == [f"{number}" for number in range(100)]

    async def test_leave_together(self, redis: RedisClient) -> None:
        before = await reads_processed(redis)
        await asyncio.gather(*(redis.echo(f"{number}") for number in range(100)))
        # Others use the server as well, but not a hundred times.
        assert await reads_processed(redis) - before < 50

    async def test_keep_their_order(self, redis: RedisClient) -> None:
        *_, last = await asyncio.gather(
            redis.set("test:order", "1"), redis.append("test:order", "2"), redis.getdel("test:order")
        )
        assert last == "12"

    async def test_are_parsed_as_redis_py_parses_them(self, redis: RedisClient) -> None:
        key = "test:parsed"
        _, _, fields, scores, gone = await asyncio.gather(
            redis.hset(key, mapping={"a": "1"}),
            redis.zadd(f"{key}:scores", {"b": 2.5}),
            redis.hgetall(key),
            redis.zrange(f"{key}:scores", 0, -1, withscores=True),
            redis.delete(key, f"{key}:scores"),
        )
        assert (fields, [tuple(score) for score in scores], gone) == ({"a": "1"}, [("b", 2.5)], 2)

    async def test_fail_alone(self, redis: RedisClient) -> None:
        commands = [("ECHO", "before"), ("EVALSHA", "no-such-script", 0), ("ECHO", "after")]
        before, error, after = await asyncio.gather(
            *(redis.execute_command(*command) for command in commands), return_exceptions=True
        )
        assert (before, type(error).__mro__[1], after) == ("before", ResponseError, "after")

    @pytest.mark.parametrize("unencodable", [object(), "\ud800"], ids=["no text", "half a character"])
    async def test_that_cannot_be_encoded_fail_alone(self, redis: RedisClient, unencodable: object) -> None:
        commands = [("ECHO", "before"), ("ECHO", unencodable), ("ECHO", "after")]
        before, error, after = await asyncio.gather(
            *(redis.execute_command(*command) for command in commands), return_exceptions=True
        )
        assert (before, after) == ("before", "after")
        assert isinstance(error, (DataError, UnicodeError))

    async def test_all_fail_while_the_server_is_down(self, resources: Resources) -> None:
        settings = resources.settings.redis.model_copy(update={"database_url": None, "host": "127.0.0.1", "port": 1})
        async with create_redis(settings) as redis:
            errors = await asyncio.gather(*(redis.echo("1") for _ in range(3)), return_exceptions=True)
        assert [type(error) for error in errors] == [RedisConnectionError] * 3


class TestCancelling:
    async def test_one_command_leaves_the_others(self, redis: RedisClient) -> None:
        impatient, patient = started(redis, "ECHO", "1"), started(redis, "ECHO", "2")
        await asyncio.sleep(0)
        impatient.cancel()
        assert await patient == "2"

    @pytest.mark.parametrize("turns", [2, 3, 20], ids=["before it begins", "as it begins", "on its way"])
    async def test_a_batch_ends_its_callers(self, resources: Resources, turns: int) -> None:
        async with redis_by_proxy(resources) as (redis, proxy):
            assert await redis.echo("there is a connection")
            proxy.hang()
            waiting = started(redis, "ECHO", "1")
            for _ in range(turns):
                await asyncio.sleep(0)
            (task,) = redis._sending
            task.cancel()
            async with asyncio.timeout(1 * patience()):
                await asyncio.wait([waiting])
            assert waiting.cancelled() or waiting.exception()


class TestACommandLaterThanOthers:
    async def test_does_not_wait_for_them(self, redis: RedisClient) -> None:
        first = started(redis, "ECHO", "1")
        for _ in range(3):
            await asyncio.sleep(0)
        assert await redis.echo("2") == "2"
        assert await first == "1"


class TestACommandThatBlocks:
    async def test_holds_nobody_up(self, redis: RedisClient) -> None:
        blocking = started(redis, "BLPOP", "test:nothing", 0.3)
        other = started(redis, "ECHO", "1")
        assert await other == "1"
        assert not blocking.done()
        assert await blocking is None

    async def test_that_watches_is_a_transaction_of_its_own(self, redis: RedisClient) -> None:
        async with redis.pipeline() as pipe:
            await pipe.watch("test:watched")
            await redis.set("test:watched", "1", px=1000)
            pipe.multi()  # type: ignore[no-untyped-call]  # redis-py has no types here
            await pipe.echo("1")
            with pytest.raises(WatchError):
                await pipe.execute()
