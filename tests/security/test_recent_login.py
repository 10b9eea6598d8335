"""Routes for callers who have proved who they are a short time ago."""

import re
from copy import copy
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest
from fastapi import APIRouter, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts

from src.core.config import Settings, settings
from src.core.config.identity.oidc import OidcSettings
from src.core.resources import Resources
from src.crud.session import session_key
from src.deps.recent import require_recent
from src.main import create_app
from src.main import server as rest_server
from src.websockets.server import AsyncServer
from src.websockets.testing import SocketClient
from tests.docs.readme import ROOT, blocks
from tests.security.conftest import Clock
from tests.support.api_keys import bearer
from tests.support.login import encrypted
from tests.support.people import USER_AGENT, People, Person

TEN_MINUTES = 600
IDENTITY = (ROOT / "docs/identity.md").read_text()


def claims(token: str) -> dict[str, Any]:
    content: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return content


async def remove_factors(client: httpx.AsyncClient, actor: Person, other: Person) -> tuple[int, str | None]:
    response = await client.delete(f"/api/v1/users/{other.user.id}/factors", headers=actor.headers)
    return response.status_code, response.json().get("error")


async def refresh(client: httpx.AsyncClient, token: str) -> dict[str, Any]:
    headers = {"X-Refresh-Token": token, "User-Agent": USER_AGENT}
    pair: dict[str, Any] = (await client.post("/api/v1/auth/token/refresh", headers=headers)).json()["data"]
    return pair


def routes_with(app: FastAPI, dependency: Any) -> list[RouteContext]:
    """The routes that depend on it, at any depth."""

    def depends(dependant: Dependant) -> bool:
        return dependant.call is dependency or any(map(depends, dependant.dependencies))

    routes = iter_route_contexts(app.routes)
    return [route for route in routes if isinstance(route.original_route, APIRoute) and depends(route.dependant)]


def test_a_route_of_ones_own_demands_it_as_the_page_says() -> None:
    router, (decorator,) = APIRouter(), blocks("python", IDENTITY)
    names = {"router": router, "require_recent": require_recent}
    exec(f"{decorator}async def delete_invoice(invoice_id: str) -> None: ...", names)  # noqa: S102 - of a document
    (route,) = router.routes
    assert isinstance(route, APIRoute)
    assert [dependency.call for dependency in route.dependant.dependencies] == [require_recent(minutes=10).dependency]


class TestARecentLogin:
    async def test_is_enough_for_ten_minutes(self, client: httpx.AsyncClient, people: People, clock: Clock) -> None:
        actor, other = await people.create(is_admin=True), await people.create()
        clock.advance(TEN_MINUTES - 5)
        assert (await remove_factors(client, actor, other))[0] == 200
        clock.advance(10)
        assert await remove_factors(client, actor, other) == (401, "auth.recent_login_required")

    async def test_is_not_made_recent_by_a_refresh(
        self, client: httpx.AsyncClient, person: Person, clock: Clock
    ) -> None:
        logged_in_at = claims(person.tokens.access_token)["auth_time"]
        token = person.tokens.refresh_token
        for _ in range(2):
            clock.advance(TEN_MINUTES)
            pair = await refresh(client, token)
            again = await refresh(client, token)  # the response was lost: the same pair
            assert {claims(each["accessToken"])["auth_time"] for each in (pair, again)} == {logged_in_at}
            token = pair["refreshToken"]

    @pytest.mark.parametrize("auth_time", [None, 0, "now", 1e12])
    async def test_is_what_the_token_says(
        self, client: httpx.AsyncClient, people: People, resources: Resources, auth_time: Any
    ) -> None:
        actor, other = await people.create(is_admin=True), await people.create()
        content = claims(actor.tokens.access_token) | {"auth_time": auth_time}
        if auth_time is None:
            del content["auth_time"]  # as in tokens of the version before
        header = jwt.get_unverified_header(actor.tokens.access_token)
        key = resources.settings.auth.access_token_key.get_secret_value()
        token = jwt.encode(content, key, "HS256", headers=header)
        path = f"/api/v1/users/{other.user.id}/factors"
        response = await client.delete(path, headers={"Authorization": f"Bearer {token}"})
        assert response.status_code == 401

    async def test_of_a_session_of_the_version_before_is_unknown(
        self, client: httpx.AsyncClient, person: Person, resources: Resources
    ) -> None:
        await resources.redis.hdel(session_key(person.user.id, person.tokens.session_id), "authenticated_at")
        pair = await refresh(client, person.tokens.refresh_token)
        assert claims(pair["accessToken"])["auth_time"] == 0

    async def test_is_nothing_that_an_api_key_has(self, client: httpx.AsyncClient, key: dict[str, Any]) -> None:
        response = await client.delete(f"/api/v1/users/{uuid4()}/factors", headers=bearer(key["key"]))
        assert response.status_code == 403  # no key holds the code


@pytest.fixture(scope="module")
def everything() -> tuple[Settings, FastAPI]:
    """The application with all that settings can switch on."""
    changed = copy(settings)
    changed.auth = settings.auth.model_copy(update={"act_as_enabled": True, "deletion_days": 14, "export_days": 7})
    provider = {"issuer": "https://idp.example", "clientId": "x", "clientSecret": "x"}
    changed.oidc = OidcSettings.model_validate({"OIDC_PROVIDERS": {"test": provider}})
    return changed, create_app(changed, rest_server)


class TestRoutes:
    async def test_refuse_an_older_login_and_are_those_of_the_documentation(
        self,
        client: httpx.AsyncClient,
        everything: tuple[Settings, FastAPI],
        people: People,
        clock: Clock,
        resources: Resources,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        changed, app = everything
        monkeypatch.setattr(resources, "settings", changed)
        admin, refused = await people.create(is_admin=True), set()
        clock.advance(TEN_MINUTES + 5)
        transport = httpx.ASGITransport(app, client=(f"test-{uuid4().hex}", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=admin.headers) as caller:
            for route in routes_with(app, require_recent().dependency):
                path = re.sub(r"{[^}]+}", str(uuid4()), str(route.path_format))
                for method in route.methods or ():
                    response = await caller.request(method, path, json={})
                    error = response.status_code, response.json()["error"]
                    assert error == (401, "auth.recent_login_required"), route.path_format
                    refused.add(f"{method} {str(route.path_format).removeprefix('/api/v1')}")
        listed = IDENTITY.partition("These routes have it:")[2].partition("Those that manage")[0]
        assert refused == set(re.findall("`([A-Z]+ /[^`]+)`", listed))

    async def test_of_users_take_an_older_login(self, client: httpx.AsyncClient, people: People, clock: Clock) -> None:
        admin, other = await people.create(is_admin=True), await people.create()
        clock.advance(TEN_MINUTES + 5)
        body = await encrypted(client, uuid4().hex)
        response = await client.put(f"/api/v1/users/{other.user.id}/password", json=body, headers=admin.headers)
        assert response.status_code == 200


class TestEvents:
    async def test_take_the_same_dependency(self, people: People, clock: Clock, resources: Resources) -> None:
        server = AsyncServer(async_mode="asgi")

        @server.on("vault.open", dependencies=[require_recent()])
        async def open_vault() -> str:
            return "open"

        person = await people.create()
        async with SocketClient(server.asgi(FastAPI()), auth={"token": person.tokens.access_token}) as client:
            assert await client.call("vault.open") == "open"
            clock.advance(TEN_MINUTES + 5)
            assert (await client.call("vault.open"))["error"] == "auth.recent_login_required"
