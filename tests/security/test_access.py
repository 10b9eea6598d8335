"""Every route is called without permissions, including routes added later: SECURITY row 33."""

import re
from uuid import uuid4

import httpx
import pytest

from src.api import access
from src.core.config import settings
from src.core.routing.registry import RouteInfo
from src.main import rest
from tests.support.people import People

ROUTES: list[RouteInfo] = [route for route in rest.state.registry.routes if route.methods != ["SOCKET"]]
PUBLIC = access.public_routes(settings)
GUARDED = [route for route in ROUTES if route.code not in PUBLIC | access.session_routes(settings)]
CLOSED = [route for route in ROUTES if route.code not in PUBLIC]


async def call(client: httpx.AsyncClient, route: RouteInfo, headers: dict[str, str]) -> int:
    path = re.sub(r"\{[^}]+\}", str(uuid4()), route.path)
    return (await client.request(route.methods[0], path, headers=headers)).status_code


class TestRow33Anonymous:
    @pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer made.up.token"}], ids=["no token", "forged"])
    async def test_every_closed_route_is_401(self, client: httpx.AsyncClient, headers: dict[str, str]) -> None:
        assert [route.code for route in CLOSED if await call(client, route, headers) != 401] == []


class TestRow33WithoutCodes:
    async def test_every_guarded_route_is_403(self, client: httpx.AsyncClient, people: People) -> None:
        headers = (await people.create()).headers
        assert [route.code for route in GUARDED if await call(client, route, headers) != 403] == []


class TestRow33WithOneCode:
    @pytest.mark.slow
    async def test_its_route_is_allowed(self, client: httpx.AsyncClient, people: People) -> None:
        for route in GUARDED:
            headers = (await people.create(route.code)).headers
            assert await call(client, route, headers) not in {401, 403}, route.code

    async def test_all_other_routes_are_403(self, client: httpx.AsyncClient, people: People) -> None:
        held, *others = GUARDED
        headers = (await people.create(held.code)).headers
        assert {await call(client, route, headers) for route in others} == {403}


class TestRow33Lists:
    def test_public_routes_are_these_few(self) -> None:
        assert sorted(access.PUBLIC) == [
            "GET:/api/v1/auth/keys/public",
            "POST:/api/v1/auth/login",
            "POST:/api/v1/auth/token/refresh",
        ]

    def test_session_routes_routes_only_concern_the_caller(self) -> None:
        assert all(re.match(r"[A-Z]+:(/api/v1/auth/|auth\.)", code) for code in access.session_routes(settings))
