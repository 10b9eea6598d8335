"""Faults that are no broken connection: wrong clocks, lost data, names that do not resolve, a full disk, a flood."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from src.core.config import settings
from src.core.exceptions import UnauthorizedError
from src.core.resources import Resources
from src.core.security.token import RefreshClaims, TokenIssuer
from src.core.storage.minio_storage import MinioStorage
from src.core.stores.documents import create_mongo
from src.core.stores.errors import as_unavailable
from src.core.stores.redis_client import create_redis
from src.core.stores.sql import create_engine
from src.utils.date import utc_now
from tests.queues.restartable import RestartableRedis
from tests.support.login import log_in
from tests.support.people import USER_AGENT, Person
from tests.support.served import IMPATIENT, Served, serve
from tests.support.waiting import eventually

pytestmark = pytest.mark.process

HOUR = 3600


async def failure(call: Callable[[], Awaitable[object]]) -> Exception:
    with pytest.raises(Exception) as caught:
        await call()
    return caught.value


class TestAClockThatJumpsByAnHour:
    """What one process has issued is read by another, or by itself after its clock was corrected."""

    @pytest.fixture
    def right(self) -> TokenIssuer:
        return TokenIssuer(settings.auth)

    def issue(self, offset: int) -> tuple[str, str]:
        issuer = TokenIssuer(settings.auth, lambda: time.time() + offset)
        now = issuer.now()
        claims = RefreshClaims(UUID(int=1), "session", "jti", now, now, now + settings.auth.session_idle_seconds)
        return issuer.access(UUID(int=1), "session", now), issuer.refresh(claims)

    def test_ahead_ends_no_session(self, right: TokenIssuer) -> None:
        access, refresh = self.issue(HOUR)
        assert right.read_refresh(refresh).session_id == "session"
        with pytest.raises(UnauthorizedError):
            right.read_access(access)  # it would live for an hour longer: the client refreshes

    def test_ahead_by_seconds_is_not_noticed(self, right: TokenIssuer) -> None:
        access, _ = self.issue(30)
        assert right.read_access(access).session_id == "session"

    def test_behind_ends_no_session(self, right: TokenIssuer) -> None:
        access, refresh = self.issue(-HOUR)
        assert right.read_refresh(refresh).session_id == "session"
        with pytest.raises(UnauthorizedError):
            right.read_access(access)  # it lives for less than an hour: the client refreshes

    async def test_is_an_unavailable_s3(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """S3 refuses signatures of another time."""
        storage = MinioStorage(settings.s3)
        monkeypatch.setattr("minio.api.time.utcnow", lambda: utc_now() + timedelta(hours=1))
        unavailable = as_unavailable(await failure(lambda: storage.objects("files/")))
        storage.close()
        assert unavailable is not None
        assert unavailable.store == "s3"


class TestANameThatDoesNotResolve:
    @pytest.mark.parametrize("store", ["redis", "postgresql", "mongodb", "s3"])
    async def test_is_an_unavailable_store(self, store: str) -> None:
        host = "store.invalid"
        redis = create_redis(settings.redis.model_copy(update={"database_url": SecretStr(f"redis://{host}/0")}))
        engine = create_engine(settings.sql, settings.sql.url.set(host=host))
        url = SecretStr(f"mongodb://{host}/app")
        mongo = create_mongo(settings.mongo.model_copy(update={"database_url": url, "timeout_seconds": 0.5}))
        storage = MinioStorage(settings.s3.model_copy(update={"endpoint_setting": f"http://{host}:9000"}))
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "redis": redis.ping,
            "postgresql": lambda: engine.connect().start(),
            "mongodb": lambda: mongo.admin.command("ping"),
            "s3": storage.check,
        }
        unavailable = as_unavailable(await failure(calls[store]))
        await asyncio.gather(redis.aclose(), engine.dispose(), mongo.close())
        storage.close()
        assert unavailable is not None
        assert unavailable.store == store


class TestPostgreSQL:
    @pytest.mark.parametrize("state", ["53100", "53200", "53300", "57P01", "57P03", "58030"])
    async def test_that_raises_such_an_error_is_unavailable(self, resources: Resources, state: str) -> None:
        """Such as a disk that is full."""
        raising = f"DO $$ BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = '{state}'; END $$"

        async def run() -> None:
            async with resources.engine.connect() as connection:
                await connection.execute(text(raising))

        unavailable = as_unavailable(await failure(run))
        assert unavailable is not None
        assert unavailable.store == "postgresql"


class TestARedisThatAdmitsNoMoreClients:
    async def test_is_unavailable(self, tmp_path: Path) -> None:
        with RestartableRedis(tmp_path) as server:
            group = settings.redis.model_copy(update={"database_url": SecretStr(server.url)})
            async with create_redis(group) as first, create_redis(group) as second:
                used = int((await first.info("clients"))["connected_clients"])
                await first.config_set("maxclients", used)
                unavailable = as_unavailable(await failure(second.ping))
        assert unavailable is not None
        assert unavailable.store == "redis"


class TestAFailoverToAnEmptyRedis:
    async def test_ends_sessions_and_nothing_else(self, tmp_path: Path, served_admin: Person) -> None:
        with RestartableRedis(tmp_path) as empty:
            async with serve(tmp_path / "output", **IMPATIENT) as served:
                assert await status(served, served_admin) == 200
                served.stores["redis"].refuse()
                served.stores["redis"].lead_to(empty.url)
                await served.stores["redis"].heal()

                async def is_ready() -> bool:
                    return (await served.client.get("/readyz")).status_code == 200

                await eventually(is_ready)
                assert await status(served, served_admin) == 401
                tokens = (await log_in(served.client, served_admin.user.username)).json()["data"]
                headers = {"Authorization": f"Bearer {tokens['accessToken']}", "User-Agent": USER_AGENT}
                assert (await served.client.get("/api/v1/users", headers=headers)).status_code == 200


async def status(served: Served, person: Person) -> int:
    return (await served.client.get("/api/v1/users", headers=person.headers)).status_code
