"""Stores that hang, refuse connections or reset them."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from pydantic import SecretStr
from pymongo.errors import ConnectionFailure
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from src.core.preflight import PreflightError, require_stores
from src.core.resources import Resources
from src.core.storage.minio_storage import MinioStorage
from src.core.stores.documents import MongoClient, create_mongo
from src.core.stores.errors import as_unavailable
from src.core.stores.redis_client import RedisClient, create_redis
from src.core.stores.sql import SQLDatabase, create_engine
from tests.support.proxy import Proxy, proxied
from tests.support.waiting import eventually, patience

FAULTS = ["hang", "refuse", "reset"]


@asynccontextmanager
async def engine_by_proxy(resources: Resources, **settings: Any) -> AsyncIterator[tuple[AsyncEngine, Proxy]]:
    """A pool of one connection."""
    async with proxied(os.environ["SQL_DATABASE_URL"]) as (url, proxy):
        limits = {"pool_size": 1, "max_overflow": 0, "connect_timeout_seconds": 0.3, "command_timeout_seconds": 0.3}
        changes = {"database_url": SecretStr(url), **limits, **settings}
        engine = create_engine(resources.settings.sql.model_copy(update=changes))
        yield engine, proxy
        await proxy.heal()
        await engine.dispose()


@asynccontextmanager
async def redis_by_proxy(resources: Resources) -> AsyncIterator[tuple[RedisClient, Proxy]]:
    async with proxied(os.environ["REDIS_DATABASE_URL"]) as (url, proxy):
        changes = {"database_url": SecretStr(url), "timeout_seconds": 0.5}
        redis = create_redis(resources.settings.redis.model_copy(update=changes))
        yield redis, proxy
        await redis.aclose()


async def failure(call: Callable[[], Awaitable[object]]) -> tuple[Exception, float]:
    """The error of a call, and the seconds that it took."""
    started = time.monotonic()
    with pytest.raises(Exception) as caught:
        await call()
    return caught.value, time.monotonic() - started


async def responds(mongo: MongoClient) -> bool:
    try:
        return bool(await mongo.admin.command("ping"))
    except ConnectionFailure:
        return False


def fatal(state: str) -> bytes:
    """The message with which PostgreSQL ends a session."""
    fields = f"SFATAL\0VFATAL\0C{state}\0Mnot now\0\0".encode()
    return b"E" + (len(fields) + 4).to_bytes(4, "big") + fields


async def select_one(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        return int((await connection.execute(text("SELECT 1"))).scalar_one())


async def backend(engine: AsyncEngine) -> int:
    async with engine.connect() as connection:
        return int((await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one())


class TestPostgres:
    @pytest.mark.parametrize("fault", FAULTS)
    @pytest.mark.parametrize("pooled", [True, False], ids=["open connection", "new connection"])
    async def test_a_fault_means_unavailable(self, resources: Resources, fault: str, *, pooled: bool) -> None:
        async with engine_by_proxy(resources) as (engine, proxy):
            if pooled:
                await select_one(engine)
            getattr(proxy, fault)()
            error, _ = await failure(lambda: select_one(engine))
        assert as_unavailable(error)

    @pytest.mark.parametrize("fault", ["refuse", "reset"])
    async def test_a_connection_lost_in_mid_query_means_unavailable(self, resources: Resources, fault: str) -> None:
        async with (
            engine_by_proxy(resources, command_timeout_seconds=5) as (engine, proxy),
            engine.connect() as connection,
        ):
            query = asyncio.create_task(failure(lambda: connection.execute(text("SELECT pg_sleep(3)"))))
            await asyncio.sleep(0.1)
            getattr(proxy, fault)()
            error, _ = await query
        assert as_unavailable(error)

    @pytest.mark.parametrize("state", ["57P03", "57P01", "53300"])
    async def test_a_server_that_starts_stops_or_is_full_means_unavailable(
        self, resources: Resources, state: str
    ) -> None:
        async with engine_by_proxy(resources) as (engine, proxy):
            proxy.answer(fatal(state))
            error, _ = await failure(lambda: select_one(engine))
        assert as_unavailable(error)

    @pytest.mark.parametrize("fault", FAULTS)
    async def test_it_recovers_from_a_fault(self, resources: Resources, fault: str) -> None:
        async with engine_by_proxy(resources) as (engine, proxy):
            await select_one(engine)
            getattr(proxy, fault)()
            await failure(lambda: select_one(engine))
            await proxy.heal()
            assert [await select_one(engine) for _ in range(3)] == [1, 1, 1]

    async def test_a_connection_that_the_server_closed_is_replaced(self, resources: Resources) -> None:
        async with engine_by_proxy(resources) as (engine, proxy):
            async with engine.connect() as connection:
                first = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
                driver: Any = (await connection.get_raw_connection()).driver_connection
            async with proxy.closing(), resources.engine.connect() as other:
                await other.execute(text(f"SELECT pg_terminate_backend({first}, 2000)"))
            await eventually(driver.is_closed)
            assert await backend(engine) != first

    async def test_a_connection_whose_session_the_server_has_ended_is_left(self, resources: Resources) -> None:
        """It is still open: the server says that it ends the session, and closes the connection a moment later."""
        async with engine_by_proxy(resources) as (engine, proxy):
            first = await backend(engine)
            proxy.say(fatal("57P01"))
            await asyncio.sleep(0.05)
            error, _ = await failure(lambda: select_one(engine))
            assert as_unavailable(error)
            assert await backend(engine) != first

    async def test_a_primary_that_became_read_only_is_left(self, resources: Resources) -> None:
        """As after a failover: the connections of the pool stay open, and the address leads to the new primary."""
        async with engine_by_proxy(resources, pool_size=3, command_timeout_seconds=10) as (engine, _):
            opened = [await engine.connect().start() for _ in range(3)]
            demoted = []
            for connection in opened:
                demoted.append((await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one())
                await connection.execute(text("SET default_transaction_read_only = on"))
                await connection.commit()
                await connection.close()

            async def write() -> int:
                async with engine.begin() as connection:
                    await connection.execute(text("UPDATE notices SET title = ''  WHERE false"))
                    return int((await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one())

            error, _ = await failure(write)
            pids = [await write() for _ in range(3)]
        assert as_unavailable(error)
        assert not {*pids} & {*demoted}

    async def test_connections_are_replaced_at_an_age(self, resources: Resources) -> None:
        async with engine_by_proxy(resources, pool_recycle_seconds=0, command_timeout_seconds=10) as (engine, _):
            first = await backend(engine)
            await asyncio.sleep(0.01)
            assert await backend(engine) != first

    async def test_idle_connections_are_given_back(self, resources: Resources) -> None:
        settings = resources.settings.sql.model_copy(update={"idle_timeout_seconds": 0.2})
        engine = SQLDatabase(settings, resources.engine.url).engine
        pids = await asyncio.gather(*(backend(engine) for _ in range(3)))

        async def are_gone() -> bool:
            async with resources.engine.connect() as connection:
                found = text("SELECT count(*) FROM pg_stat_activity WHERE pid = ANY(:pids)")
                return not (await connection.execute(found, {"pids": pids})).scalar_one()

        await eventually(are_gone)
        assert [await select_one(engine) for _ in range(3)] == [1, 1, 1]
        await engine.dispose()

    @pytest.mark.slow
    async def test_no_statement_fails_as_an_idle_connection_is_closed(self, resources: Resources) -> None:
        settings = resources.settings.sql.model_copy(update={"idle_timeout_seconds": 1, "pool_size": 20})
        engine = SQLDatabase(settings, resources.engine.url).engine
        for milliseconds in range(960, 1040, 20):
            assert await asyncio.gather(*(select_one(engine) for _ in range(20))) == [1] * 20
            await asyncio.sleep(milliseconds / 1000)
        await engine.dispose()

    async def test_a_full_pool_means_unavailable_in_time(self, resources: Resources) -> None:
        async with engine_by_proxy(resources, pool_timeout_seconds=0.2) as (engine, _), engine.connect():
            error, seconds = await failure(lambda: select_one(engine))
        assert as_unavailable(error)
        assert seconds < 1 * patience()

    async def test_a_lock_that_others_hold_means_unavailable(self, resources: Resources) -> None:
        async with (
            resources.engine.begin() as holder,
            engine_by_proxy(resources, lock_timeout_seconds=0.2, command_timeout_seconds=5) as (engine, _),
            engine.connect() as connection,
        ):
            await holder.execute(text("LOCK TABLE notices"))
            error, seconds = await failure(lambda: connection.execute(text("SELECT 1 FROM notices")))
        assert as_unavailable(error)
        assert seconds < 2 * patience()

    async def test_a_violated_constraint_is_not_an_outage(self, resources: Resources) -> None:
        async with resources.engine.connect() as connection:
            error, _ = await failure(lambda: connection.execute(text("INSERT INTO users (id) VALUES (null)")))
        assert isinstance(error, IntegrityError)
        assert as_unavailable(error) is None

    async def test_times_are_utc(self, resources: Resources) -> None:
        async with resources.engine.connect() as connection:
            assert (await connection.execute(text("SHOW timezone"))).scalar_one() == "UTC"


class TestRedis:
    @pytest.mark.parametrize("fault", FAULTS)
    async def test_a_fault_means_unavailable_within_a_second(self, resources: Resources, fault: str) -> None:
        async with redis_by_proxy(resources) as (redis, proxy):
            await redis.ping()
            getattr(proxy, fault)()
            error, seconds = await failure(redis.ping)
        assert as_unavailable(error)
        assert seconds < 1 * patience()

    @pytest.mark.parametrize("fault", FAULTS)
    async def test_it_recovers_from_a_fault(self, resources: Resources, fault: str) -> None:
        async with redis_by_proxy(resources) as (redis, proxy):
            await redis.ping()
            getattr(proxy, fault)()
            await failure(redis.ping)
            await proxy.heal()
            assert [await redis.ping() for _ in range(3)] == [True] * 3

    async def test_a_late_reply_is_never_taken_for_that_of_the_next_command(self, resources: Resources) -> None:
        async with redis_by_proxy(resources) as (redis, proxy):
            await redis.set("test:mixed", "stale", ex=5)
            proxy.hang()
            await failure(lambda: redis.get("test:mixed"))
            await proxy.heal()
            assert await redis.echo("fresh") == "fresh"


class TestMongo:
    @pytest.mark.parametrize("fault", FAULTS)
    async def test_a_fault_means_unavailable_in_time(self, resources: Resources, fault: str) -> None:
        async with proxied(os.environ["MONGO_DATABASE_URL"]) as (url, proxy):
            changes = {"database_url": SecretStr(url), "timeout_seconds": 0.5}
            mongo = create_mongo(resources.settings.mongo.model_copy(update=changes))
            await mongo.admin.command("ping")
            getattr(proxy, fault)()
            error, seconds = await failure(lambda: mongo.admin.command("ping"))
            await proxy.heal()
            await eventually(lambda: responds(mongo))  # PyMongo leaves a socket open that is connecting when it closes
            await mongo.close()
        assert as_unavailable(error)
        assert seconds < 2 * patience()


class TestS3:
    @pytest.mark.parametrize("fault", FAULTS)
    async def test_a_fault_means_unavailable_in_time(self, resources: Resources, fault: str) -> None:
        async with proxied(os.environ["MINIO_ENDPOINT"]) as (url, proxy):
            changes = {"endpoint_setting": url, "timeout_seconds": 0.3}
            storage = MinioStorage(resources.settings.s3.model_copy(update=changes))
            getattr(proxy, fault)()
            error, seconds = await failure(storage.check)
            storage.close()
        assert as_unavailable(error)
        assert seconds < 3 * patience()

    @pytest.mark.parametrize("status", ["502 Bad Gateway", "403 Forbidden"])
    async def test_a_page_of_a_proxy_means_unavailable(self, resources: Resources, status: str) -> None:
        page = "<html>no backend</html>"
        head = f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {len(page)}\r\n\r\n"
        async with proxied(os.environ["MINIO_ENDPOINT"]) as (url, proxy):
            storage = MinioStorage(resources.settings.s3.model_copy(update={"endpoint_setting": url}))
            proxy.answer(f"{head}{page}".encode())
            error, _ = await failure(lambda: storage.objects("files/"))
            storage.close()
        assert as_unavailable(error)

    @pytest.mark.parametrize("body", ["", "<ListBucketResult><Na"])
    async def test_a_body_that_is_cut_off_means_unavailable(self, resources: Resources, body: str) -> None:
        async with proxied(os.environ["MINIO_ENDPOINT"]) as (url, proxy):
            storage = MinioStorage(resources.settings.s3.model_copy(update={"endpoint_setting": url}))
            proxy.answer(f"HTTP/1.1 200 OK\r\n\r\n{body}".encode())
            error, _ = await failure(lambda: storage.objects("files/"))
            storage.close()
        assert as_unavailable(error)

    async def test_an_error_that_is_not_ours_is_the_line_of_a_command(self, resources: Resources) -> None:
        async with proxied(os.environ["MINIO_ENDPOINT"]) as (url, proxy):
            storage = MinioStorage(resources.settings.s3.model_copy(update={"endpoint_setting": url}))
            proxy.answer(b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n")
            error, _ = await failure(storage.check)
            assert error.__cause__ is not error  # who follows the causes would never end
            with pytest.raises(PreflightError, match=r"Cannot use S3 at .*\. Correct MINIO_ENDPOINT\."):
                await require_stores(replace(resources, storage=storage))
            storage.close()
