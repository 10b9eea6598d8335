"""The rate limit of each route, with a budget of three."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from src.api import access
from src.core.config import settings
from src.core.resources import Resources
from src.deps.rate_limit import ANONYMOUS, EXPENSIVE, RateLimit
from src.main import app, rest
from tests.support.people import People, Person

LIMIT = 3
# What it would protect costs less than it.
UNLIMITED = {"GET:/api/v1/auth/keys/public"}
LIMITED_BY_ACCOUNT = {
    "GET:/api/v1/audit-logs": "/api/v1/audit-logs",
    "GET:/api/v1/permissions/explain": "/api/v1/permissions/explain?userId=x&method=GET&path=/",
    "POST:/api/v1/schedules/preview": "/api/v1/schedules/preview",
    "POST:/api/v1/tasks/runs/retry": "/api/v1/tasks/runs/retry",
}


@pytest.fixture(autouse=True)
async def budgets(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    for marker in (ANONYMOUS, EXPENSIVE):
        monkeypatch.setattr(marker.dependency, "limit", LIMIT)
    keys = [key async for key in resources.redis.scan_iter("rate:*", count=1000)]
    if keys:
        await resources.redis.delete(*keys)


@asynccontextmanager
async def at(address: str) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, client=(address, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


async def call(client: httpx.AsyncClient, code: str, **options: Any) -> httpx.Response:
    method, _, path = code.partition(":")
    return await client.request(method, LIMITED_BY_ACCOUNT.get(code, path), **options)


ANONYMOUS_ROUTES = sorted(access.public_routes(settings) - UNLIMITED)


@pytest.mark.usefixtures("uow")
class TestRow55Anonymous:
    @pytest.mark.parametrize("code", ANONYMOUS_ROUTES)
    async def test_a_route_has_a_budget_per_address(self, code: str) -> None:
        async with at("203.0.113.1") as client, at("203.0.113.2") as other:
            responses = [await call(client, code) for _ in range(LIMIT + 1)]
            assert [response.status_code == 429 for response in responses] == [False] * LIMIT + [True]
            assert (await call(other, code)).status_code != 429

    async def test_routes_have_budgets_of_their_own(self) -> None:
        async with at("203.0.113.1") as client:
            for _ in range(LIMIT + 1):
                await call(client, "POST:/api/v1/auth/login")
            assert (await call(client, "POST:/api/v1/auth/token/refresh")).status_code == 401

    async def test_an_ipv6_network_is_one_address(self) -> None:
        statuses = []
        for number in range(LIMIT + 1):
            async with at(f"2001:db8::{number}") as client:
                statuses.append((await call(client, "POST:/api/v1/auth/token/refresh")).status_code)
        assert statuses == [401] * LIMIT + [429]

    async def test_of_parallel_requests_no_more_pass(self) -> None:
        async with at("203.0.113.1") as client:
            requests = [call(client, "POST:/api/v1/auth/token/refresh") for _ in range(20)]
            responses = await asyncio.gather(*requests)
        assert sorted(response.status_code for response in responses) == [401] * LIMIT + [429] * (20 - LIMIT)


class TestRow55Account:
    @pytest.mark.parametrize("code", LIMITED_BY_ACCOUNT)
    async def test_an_expensive_route_has_a_budget_per_user(self, people: People, code: str) -> None:
        first, second = await people.create(code), await people.create(code)
        async with at("203.0.113.1") as client:
            responses = [await call(client, code, headers=first.headers) for _ in range(LIMIT + 1)]
            assert [response.status_code == 429 for response in responses] == [False] * LIMIT + [True]
            assert (await call(client, code, headers=second.headers)).status_code != 429

    async def test_requests_that_are_not_permitted_do_not_count(self, people: People) -> None:
        person = await people.create()
        async with at("203.0.113.1") as client:
            statuses = [
                (await call(client, "GET:/api/v1/audit-logs", headers=person.headers)).status_code
                for _ in range(LIMIT + 1)
            ]
        assert statuses == [403] * (LIMIT + 1)


class TestHeaders:
    async def test_tell_what_is_left(self, client: httpx.AsyncClient, admin: Person) -> None:
        code = "GET:/api/v1/audit-logs"
        responses = [await call(client, code, headers=admin.headers) for _ in range(LIMIT + 1)]
        assert {response.headers["RateLimit-Policy"] for response in responses} == {'"account";q=3;w=60'}
        left = [response.headers["RateLimit"].rpartition(";")[0] for response in responses]
        assert left == [f'"account";r={number}' for number in (2, 1, 0, 0)]
        assert 1 <= int(responses[-1].headers["Retry-After"]) <= 60
        assert responses[-1].json()["error"] == "request.rate_limited"

    async def test_are_in_an_error_as_well(self, client: httpx.AsyncClient) -> None:
        response = await call(client, "POST:/api/v1/auth/token/refresh")
        assert response.headers["RateLimit"].startswith('"address";r=2;t=')


class TestCost:
    async def test_is_one_command(self, client: httpx.AsyncClient, resources: Resources) -> None:
        await call(client, "POST:/api/v1/auth/token/refresh")
        before = (await resources.redis.info("commandstats"))["cmdstat_evalsha"]["calls"]
        await call(client, "POST:/api/v1/auth/token/refresh")
        after = (await resources.redis.info("commandstats"))["cmdstat_evalsha"]["calls"]
        assert after - before == 1


class TestFactor:
    @pytest.mark.parametrize(("factor", "passing"), [(2, 2 * LIMIT), (0.1, 1), (0, 20)])
    async def test_multiplies_all_limits(
        self,
        client: httpx.AsyncClient,
        resources: Resources,
        monkeypatch: pytest.MonkeyPatch,
        factor: float,
        passing: int,
    ) -> None:
        changed = resources.settings.app.model_copy(update={"rate_limit_factor": factor})
        monkeypatch.setattr(resources.settings, "app", changed)
        statuses = [(await call(client, "POST:/api/v1/auth/token/refresh")).status_code for _ in range(20)]
        assert statuses.count(401) == passing


class TestDocument:
    def test_lists_429_for_each_limited_route(self) -> None:
        document = rest.openapi()
        for code in [*ANONYMOUS_ROUTES, *LIMITED_BY_ACCOUNT]:
            method, _, path = code.partition(":")
            response = document["paths"][path][method.lower()]["responses"]["429"]
            if "$ref" in response:
                response = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
            assert {"RateLimit", "RateLimit-Policy", "Retry-After"} <= response["headers"].keys()

    def test_every_anonymous_route_is_limited(self) -> None:
        limited = {
            code
            for code, calls in rest.state.registry._calls.items()
            if any(isinstance(found, RateLimit) for found in calls)
        }
        assert access.public_routes(settings) - limited == UNLIMITED
