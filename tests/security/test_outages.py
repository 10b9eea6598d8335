"""The application in a separate process whose stores fail as networks do: SECURITY rows 40, 43, 44."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from src.core.resources import Resources
from tests.support.people import PASSWORD, Person
from tests.support.served import IMPATIENT, Served, serve
from tests.support.waiting import patience

pytestmark = pytest.mark.process

FAULTS = ["hang", "refuse", "reset"]
GUARDED = "/api/v1/notices"
SECONDS = {"redis": 1.0, "postgres": 3.0}


@pytest.fixture(scope="module")
async def served_process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """A process only for these tests, so that its state does not affect others."""
    async with serve(tmp_path_factory.mktemp("outages") / "output", **IMPATIENT) as served:
        yield served


async def get(served: Served, person: Person | None, path: str = GUARDED) -> httpx.Response:
    return await served.client.get(path, headers=person.headers if person else {})


@pytest.fixture
async def warm(served: Served, served_admin: Person) -> Person:
    """A user whose request has opened all connections and filled the cache."""
    assert (await get(served, served_admin)).status_code == 200
    return served_admin


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("store", ["redis", "postgres"])
class TestRow43StoreIsDown:
    async def test_a_route_that_needs_it_is_503_within_the_timeout(
        self, served: Served, warm: Person, store: str, fault: str
    ) -> None:
        getattr(served.stores[store], fault)()
        started = time.monotonic()
        response = await get(served, warm)
        assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
        assert time.monotonic() - started < SECONDS[store] * patience()

    async def test_everything_works_once_it_is_up_again(
        self, served: Served, warm: Person, store: str, fault: str
    ) -> None:
        getattr(served.stores[store], fault)()
        await get(served, warm)
        await served.stores[store].heal()
        assert {(await get(served, warm)).status_code for _ in range(10)} == {200}


# A route that needs the store, by store.
NEEDED = {
    "redis": GUARDED,
    "postgres": "/api/v1/users",
    "mongo": "/api/v1/audit-logs",
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("store", NEEDED)
class TestRow40StoreIsDown:
    async def test_the_response_reveals_nothing_about_it(
        self, served: Served, warm: Person, store: str, fault: str
    ) -> None:
        getattr(served.stores[store], fault)()
        response = (await get(served, warm, NEEDED[store])).json()
        assert {**response, "ts": 0, "requestId": ""} == {
            "code": 503,
            "message": "Service Unavailable.",
            "ts": 0,
            "data": None,
            "error": "service.unavailable",
            "requestId": "",
        }


def sign_in(person: Person) -> dict[str, Any]:
    return {"url": "/api/v1/auth/login/swagger", "data": {"username": person.user.username, "password": PASSWORD}}


def refresh(person: Person) -> dict[str, Any]:
    headers = {"X-Refresh-Token": person.tokens.refresh_token, "User-Agent": person.headers["User-Agent"]}
    return {"url": "/api/v1/auth/token/refresh", "headers": headers}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("store", ["redis", "postgres"])
@pytest.mark.parametrize("request_of", [sign_in, refresh])
class TestRow43Authentication:
    async def test_it_is_503_and_can_be_retried(
        self, served: Served, warm: Person, store: str, fault: str, request_of: Callable[[Person], dict[str, Any]]
    ) -> None:
        getattr(served.stores[store], fault)()
        away = await served.client.post(**request_of(warm))
        await served.stores[store].heal()
        back = await served.client.post(**request_of(warm))
        assert (away.status_code, "Retry-After" in away.headers, back.status_code) == (503, True, 200)


OPEN = ["/api/v1/auth/keys/public", "/livez"]
CLOSED = [
    "/api/v1/auth/user/info",
    "/api/v1/auth/sessions",
    "/api/v1/router/backend",
    "/api/v1/users",
    "/api/v1/roles",
    "/api/v1/permissions/mine",
    "/api/v1/audit-logs",
]


class TestRow44WithoutRedis:
    @pytest.mark.parametrize("fault", FAULTS)
    @pytest.mark.parametrize("path", CLOSED)
    async def test_guarded_routes_are_503(self, served: Served, warm: Person, path: str, fault: str) -> None:
        getattr(served.stores["redis"], fault)()
        assert (await get(served, warm, path)).status_code == 503

    @pytest.mark.parametrize("path", OPEN)
    async def test_public_routes_work(self, served: Served, path: str) -> None:
        served.stores["redis"].refuse()
        assert (await get(served, None, path)).status_code == 200

    async def test_a_bad_token_is_still_401(self, served: Served) -> None:
        served.stores["redis"].refuse()
        assert (await served.client.get(GUARDED, headers={"Authorization": "Bearer x.y.z"})).status_code == 401

    async def test_a_login_is_503(self, served: Served, warm: Person) -> None:
        served.stores["redis"].refuse()
        form = {"username": warm.user.username, "password": "wrong"}
        assert (await served.client.post("/api/v1/auth/login/swagger", data=form)).status_code == 503


class TestRow44WithoutPostgres:
    async def test_a_user_who_is_not_cached_is_refused(self, served: Served, served_admin: Person) -> None:
        served.stores["postgres"].refuse()
        assert (await get(served, served_admin, "/api/v1/router/backend")).status_code == 503


class TestRow43Postgres:
    async def test_requests_succeed_after_a_restart(self, served: Served, warm: Person, resources: Resources) -> None:
        await asyncio.gather(*(get(served, warm) for _ in range(8)))
        async with served.stores["postgres"].closing(), resources.engine.connect() as connection:
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            await connection.execute(text(f"{others} AND datname = current_database() AND backend_type LIKE 'client%'"))
        responses = await asyncio.gather(*(get(served, warm) for _ in range(8)))
        assert {response.status_code for response in responses} == {200}

    async def test_a_locked_table_is_503_within_the_timeout(
        self, served: Served, warm: Person, resources: Resources
    ) -> None:
        async with resources.engine.begin() as connection:
            await connection.execute(text("LOCK TABLE notices"))
            started = time.monotonic()
            responses = await asyncio.gather(*(get(served, warm) for _ in range(8)))
            seconds = time.monotonic() - started
        assert {response.status_code for response in responses} == {503}
        assert seconds < 2 * patience()

    async def test_a_locked_table_delays_no_other_request(
        self, served: Served, warm: Person, resources: Resources
    ) -> None:
        async with resources.engine.begin() as connection:
            await connection.execute(text("LOCK TABLE notices"))
            waiting = [asyncio.create_task(get(served, warm)) for _ in range(8)]
            started = time.monotonic()
            response = await get(served, warm, "/api/v1/auth/user/info")
            seconds = time.monotonic() - started
            await asyncio.gather(*waiting)
        assert (response.status_code, seconds < 0.5 * patience()) == (200, True)


# The status of /readyz while a store is down: most requests do without MongoDB and S3.
READINESS = {"redis": 503, "postgres": 503, "mongo": 200, "s3": 200}


class TestHealth:
    async def test_all_stores_up_is_ready(self, served: Served) -> None:
        response = await served.client.get("/readyz")
        assert (response.status_code, set(response.json()["stores"].values())) == (200, {True})

    async def test_it_says_which_stores_are_required_and_how_long_each_took(self, served: Served) -> None:
        body = (await served.client.get("/readyz")).json()
        assert body["required"] == ["postgres", "redis"]
        assert body["latencyMs"].keys() == body["stores"].keys()

    @pytest.mark.parametrize("store", READINESS)
    async def test_a_store_that_is_down_is_named(self, served: Served, store: str) -> None:
        served.stores[store].refuse()
        response = await served.client.get("/readyz")
        down = [name for name, up in response.json()["stores"].items() if not up]
        assert (response.status_code, response.json()["status"], down) == (READINESS[store], "degraded", [store])

    @pytest.mark.parametrize("store", READINESS)
    async def test_an_unresponsive_store_times_out(self, served: Served, store: str) -> None:
        served.stores[store].hang()
        started = time.monotonic()
        assert (await served.client.get("/readyz")).status_code == READINESS[store]
        assert time.monotonic() - started < 3.5 * patience()

    async def test_the_process_is_alive_without_any_store(self, served: Served) -> None:
        for store in served.stores.values():
            store.refuse()
        assert (await served.client.get("/livez")).status_code == 200

    async def test_it_is_ready_again_once_they_are_up(self, served: Served) -> None:
        for store in served.stores.values():
            store.refuse()
        await served.client.get("/readyz")
        for store in served.stores.values():
            await store.heal()
        assert (await served.client.get("/readyz")).status_code == 200
