"""Regression tests for vulnerabilities that were found in reviews."""

import asyncio
import os
import time

import httpx
import pytest
from fastapi import Depends, FastAPI, WebSocket
from pydantic import SecretStr
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from starlette.requests import Request
from starlette.responses import Response

from src.core.config.app import CorsSettings
from src.core.resources import Resources
from src.core.routing.registry import RouteRegistry
from src.core.stores.errors import as_unavailable
from src.core.stores.redis_client import create_redis
from src.core.stores.sql import create_engine
from src.services.challenge import ChallengeService
from tests.support.fork_server import run_python
from tests.support.people import People, Person
from tests.support.proxy import proxied
from tests.support.scratch import scratch_database

BODY = {"title": "t", "body": "b", "expiresAt": "2999-01-01T00:00:00Z"}


class TestRow46BodyLimit:
    async def test_413_with_a_content_length_has_the_envelope(self, client: httpx.AsyncClient) -> None:
        response = await client.post("/api/v1/auth/login", content=b" " * (1024 * 1024 + 1))
        assert response.status_code == 413
        assert response.json()["code"] == 413

    async def test_413_carries_the_request_id(self, client: httpx.AsyncClient) -> None:
        response = await client.post("/api/v1/auth/login", content=b" " * (1024 * 1024 + 1))
        assert "X-Request-ID" in response.headers

    async def test_a_refused_request_changes_nothing(self, client: httpx.AsyncClient, admin: Person) -> None:
        await client.post("/api/v1/auth/logout", headers=admin.headers, content=b" " * (1024 * 1024 + 1))
        assert (await client.get("/api/v1/auth/sessions", headers=admin.headers)).status_code == 200


class TestRow38Input:
    @pytest.mark.parametrize("name", ["a\0b", "\0"])
    async def test_swagger_login_nul(self, client: httpx.AsyncClient, name: str) -> None:
        response = await client.post("/api/v1/auth/login/swagger", data={"username": name, "password": "x"})
        assert response.status_code in {401, 422}

    @pytest.mark.parametrize("when", ["9999-12-31T23:59:59-23:59", "9999-12-31T23:00:00-01:00"])
    async def test_a_time_out_of_range_in_utc_is_422(self, client: httpx.AsyncClient, admin: Person, when: str) -> None:
        response = await client.post("/api/v1/notices", headers=admin.headers, json=BODY | {"expiresAt": when})
        assert response.status_code == 422

    async def test_the_201_response_is_in_utc(self, client: httpx.AsyncClient, admin: Person) -> None:
        response = await client.post(
            "/api/v1/notices", headers=admin.headers, json=BODY | {"expiresAt": "2999-01-01T00:00:00+02:00"}
        )
        assert response.json()["data"]["expiresAt"] == "2998-12-31T22:00:00Z"


class TestRow15Refresh:
    async def test_a_disabled_user_gets_no_new_tokens(self, client: httpx.AsyncClient, people: People) -> None:
        person = await people.create(status=False)
        response = await client.post(
            "/api/v1/auth/token/refresh", headers={**person.headers, "X-Refresh-Token": person.tokens.refresh_token}
        )
        assert response.status_code == 401


class TestRow30Challenge:
    @pytest.mark.slow
    async def test_a_redeemed_one_is_remembered_until_it_would_expire(self, resources: Resources) -> None:
        challenges = ChallengeService(resources.settings.auth, resources.redis)
        challenges.lifetime_seconds = 1
        await asyncio.sleep(1 - time.time() % 1)
        challenge = challenges.issue(int(time.time()))
        assert await challenges.redeem(challenge, int(time.time()))
        await asyncio.sleep(1.05)
        assert not await challenges.redeem(challenge, int(time.time()))


class TestRow43Stores:
    async def test_connections_closed_by_a_restart_of_redis_are_replaced(self, resources: Resources) -> None:
        async with proxied(os.environ["REDIS_DATABASE_URL"]) as (url, proxy):
            redis = create_redis(resources.settings.redis.model_copy(update={"database_url": SecretStr(url)}))
            await asyncio.gather(*(redis.ping() for _ in range(8)))
            proxy.reset()
            await asyncio.sleep(0.1)
            await proxy.heal()
            results = await asyncio.gather(*(redis.ping() for _ in range(8)), return_exceptions=True)
            await redis.aclose()
        assert results == [True] * 8

    async def test_an_unresolvable_host_name_is_an_outage(self, resources: Resources) -> None:
        url = SecretStr("postgresql+asyncpg://a:b@postgres.invalid/c")
        engine = create_engine(resources.settings.sql.model_copy(update={"database_url": url}))
        with pytest.raises(OSError) as caught:
            async with engine.connect():
                pass
        assert as_unavailable(caught.value)


async def permission() -> None: ...
async def session() -> None: ...
async def audit() -> None: ...
async def one() -> None: ...
async def two() -> None: ...
async def plain(request: Request) -> Response:
    return Response()


async def socket(websocket: WebSocket) -> None: ...


def check(app: FastAPI) -> None:
    RouteRegistry(app).check_guards(
        permission=permission, sessions=(session,), audit=audit, public=(), session_routes=()
    )


class TestRow33Registry:
    def test_an_unguarded_route_cannot_hide_behind_a_guarded_one_of_its_code(self) -> None:
        app = FastAPI()
        app.add_api_route("/api/v1/things", one)
        app.add_api_route("/api/v1/things", two, dependencies=[Depends(permission)])
        with pytest.raises(RuntimeError):
            check(app)

    def test_a_websocket_is_a_route_too(self) -> None:
        app = FastAPI()
        app.add_api_websocket_route("/api/v1/ws", socket)
        with pytest.raises(RuntimeError):
            check(app)

    def test_a_mounted_application_is_not_overlooked(self) -> None:
        app = FastAPI()
        app.mount("/api/v1/other", FastAPI())
        with pytest.raises(RuntimeError):
            check(app)

    def test_a_plain_route_is_not_overlooked(self) -> None:
        app = FastAPI()
        app.router.add_route("/api/v1/plain", plain)
        with pytest.raises(RuntimeError):
            check(app)

    def test_a_route_outside_the_api_is_not_overlooked(self) -> None:
        app = FastAPI()
        app.add_api_route("/admin", one)
        with pytest.raises(RuntimeError):
            check(app)


LOGGING = """
import structlog
from src.core.config import settings
from src.core.logging import configure_logging
configure_logging(settings)
def login(password):
    raise RuntimeError("broken")
try:
    login("hunter" + "2")
except RuntimeError:
    structlog.get_logger("x").exception("failed")
"""


@pytest.mark.process
class TestRow45Logs:
    @pytest.mark.parametrize("environment", ["LOCAL", "TESTING"])
    def test_a_traceback_shows_no_local_variables(self, environment: str) -> None:
        variables = os.environ | {"ENVIRONMENT": environment}
        ended = run_python("-c", LOGGING, environment=variables)
        assert "hunter2" not in ended.stdout

    async def test_a_failed_statement_shows_no_parameters(self, resources: Resources) -> None:
        with pytest.raises(DBAPIError) as caught:
            async with resources.engine.connect() as connection:
                await connection.execute(text("SELECT 1 / 0 WHERE :secret <> ''"), {"secret": "hunter2"})
        assert "hunter2" not in str(caught.value)


DEPLOYED = {
    "ENVIRONMENT": "PRODUCTION",
    "ACCESS_TOKEN_KEY": "qW7-0hV3kZ_nB5xT9mL2cR8yJ4dF6sGaPuE1",
    "REFRESH_TOKEN_KEY": "Zt4_9bM1xK-vH6rC0nQ3wD7jL5fS2yGiUaO8",
}
SMALL_KEYS = [
    {"ACCESS_TOKEN_PREVIOUS_KEY": "short"},
    {"REFRESH_TOKEN_PREVIOUS_KEY": "your_refresh_token_key_goes_right_here"},
    {"RSA_PREVIOUS_PRIVATE_KEY": "/missing.pem"},
    {"RSA_PUBLIC_KEY": "-----BEGIN PUBLIC KEY-----\nxx"},
    {"CORS_ORIGINS_REGEX": "("},
    {"CORS_ORIGINS_REGEX": "http://.*"},
    {"CORS_ORIGINS_REGEX": r"https?://.*\.com"},
    {"SQL_DATABASE_URL": "hunter2 is no address"},
    {"CELERY_REDIS_URL": "http://:hunter2@x"},
    {"REDIS_DATABASE_URL": "http://:hunter2@x"},
    {"LOG_LEVEL": "banana"},
    {"INITIAL_ADMIN_PASSWORD": "123456"},
]


@pytest.mark.process
class TestRow06Deployed:
    @pytest.mark.parametrize("changes", SMALL_KEYS, ids=str)
    def test_it_is_refused_in_one_line(self, changes: dict[str, str]) -> None:
        variables = os.environ | DEPLOYED | changes
        ended = run_python("-c", "import src.main", environment=variables)
        output = (ended.stdout + ended.stderr).splitlines()
        assert (ended.returncode, len(output)) == (1, 1)
        assert "hunter2" not in output[0]

    def test_a_key_without_its_first_line_is_not_shown(self) -> None:
        variables = os.environ | DEPLOYED | {"RSA_PRIVATE_KEY": "MIIG/hunter2" + "A" * 300}
        ended = run_python("-c", "import src.main", environment=variables)
        assert "hunter2" not in ended.stderr


class TestOrigins:
    def test_may_be_given_with_commas(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CORS_ORIGINS", "http://a.example, http://b.example")
        assert CorsSettings().origins == ["http://a.example", "http://b.example"]


@pytest.mark.process
class TestInitdb:
    def test_two_at_once_both_succeed(self) -> None:
        with scratch_database(migrated=True) as database:
            both = [database.start("src.initdb") for _ in range(2)]
            outputs = [process.communicate(timeout=60)[0] for process in both]
            assert [process.returncode for process in both] == [0, 0], outputs[0][-800:] + outputs[1][-800:]
