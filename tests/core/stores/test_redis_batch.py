import asyncio

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import DataError, ResponseError

from src.core.resources import Resources
from src.core.stores.redis_batch import RedisBatch


@pytest.fixture
def batch(resources: Resources) -> RedisBatch:
    return RedisBatch(resources.redis)


class TestRedisBatch:
    async def test_everybody_gets_their_own_answer(self, batch: RedisBatch) -> None:
        answers = await asyncio.gather(*(batch.execute_command("ECHO", f"{number}") for number in range(100)))
        assert answers == [f"{number}" for number in range(100)]

    async def test_an_error_is_its_callers_alone(self, batch: RedisBatch) -> None:
        commands = [("ECHO", "before"), ("EVALSHA", "no-such-script", 0), ("ECHO", "after")]
        before, error, after = await asyncio.gather(
            *(batch.execute_command(*command) for command in commands), return_exceptions=True
        )
        assert (before, type(error).__mro__[1], after) == ("before", ResponseError, "after")

    async def test_who_gives_up_takes_nobody_along(self, batch: RedisBatch) -> None:
        impatient = asyncio.create_task(batch.execute_command("ECHO", "1"))
        patient = asyncio.create_task(batch.execute_command("ECHO", "2"))
        await asyncio.sleep(0)
        impatient.cancel()
        assert await patient == "2"

    async def test_who_comes_while_a_batch_is_out_is_in_the_next(self, batch: RedisBatch) -> None:
        out = asyncio.create_task(batch.execute_command("ECHO", "1"))
        for _ in range(3):
            await asyncio.sleep(0)
        assert await batch.execute_command("ECHO", "2") == "2"
        assert await out == "1"

    async def test_everybody_hears_that_the_server_is_away(self) -> None:
        async with Redis.from_url("redis://127.0.0.1:1") as away:
            batch = RedisBatch(away)
            errors = await asyncio.gather(
                *(batch.execute_command("ECHO", "1") for _ in range(3)), return_exceptions=True
            )
        assert [type(error) for error in errors] == [RedisConnectionError] * 3

    @pytest.mark.parametrize("unwritable", [object(), "\ud800"], ids=["no text", "half a character"])
    async def test_what_cannot_be_sent_fails_alone(self, batch: RedisBatch, unwritable: object) -> None:
        commands = [("ECHO", "before"), ("ECHO", unwritable), ("ECHO", "after")]
        before, error, after = await asyncio.gather(
            *(batch.execute_command(*command) for command in commands), return_exceptions=True
        )
        assert (before, after) == ("before", "after")
        assert isinstance(error, (DataError, UnicodeError))

    @pytest.mark.parametrize("turns", [2, 3, 20], ids=["before it begins", "as it begins", "on its way"])
    async def test_nobody_waits_for_a_batch_that_was_cancelled(self, batch: RedisBatch, turns: int) -> None:
        assert await batch.execute_command("ECHO", "there is a connection")
        waiting = asyncio.create_task(batch.execute_command("BLPOP", "test:nothing", 5))
        for _ in range(turns):
            await asyncio.sleep(0)
        (task,) = batch._running
        task.cancel()
        async with asyncio.timeout(1):
            await asyncio.wait([waiting])
        assert waiting.cancelled() or waiting.exception()
