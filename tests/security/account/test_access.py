"""The routes that these settings add: closed to strangers, to API keys, and to users without permissions."""

import re
from copy import copy
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI

from src.core.resources import Resources
from src.core.routing.registry import RouteInfo
from src.core.security.access import Access
from src.main import rest
from src.services.login_only import ACT_AS, requires_login
from tests.security.conftest import Clock
from tests.support.api_keys import NOTICES, PATH, bearer, make_key
from tests.support.people import People, Person


@pytest.fixture
def added(account_app: FastAPI) -> list[tuple[RouteInfo, Access]]:
    """The routes that are not in the application by default, and what they require."""
    registry = account_app.state.registry
    known = {route.code for route in rest.state.registry.routes}
    routes = [(route, registry.access_to(route.code)) for route in registry.routes if route.code not in known]
    return [(route, access) for route, access in routes if access is not Access.PUBLIC]


async def call(client: httpx.AsyncClient, route: RouteInfo, headers: dict[str, str]) -> tuple[int, str | None]:
    path = re.sub(r"\{[^}]+\}", str(uuid4()), route.path)
    response = await client.request(route.methods[0], path, json={}, headers=headers)
    return response.status_code, response.json().get("error")


async def test_there_are_some_of_each_kind(added: list[tuple[RouteInfo, Access]]) -> None:
    assert {access for _, access in added} == {Access.SESSION, Access.PERMISSION}


async def test_strangers_are_refused(client: httpx.AsyncClient, added: list[tuple[RouteInfo, Access]]) -> None:
    assert {await call(client, route, {}) for route, _ in added} == {(401, "auth.unauthorized")}


async def test_api_keys_are_refused(
    client: httpx.AsyncClient, added: list[tuple[RouteInfo, Access]], admin: Person
) -> None:
    headers = bearer((await make_key(client, admin, NOTICES))["key"])
    refused = {Access.SESSION: (401, "auth.login_required"), Access.PERMISSION: (403, "auth.permission_denied")}
    assert [route.code for route, access in added if await call(client, route, headers) != refused[access]] == []


@pytest.mark.parametrize(("method", "path"), [("POST", "export"), ("GET", "export"), ("POST", "deletion")])
async def test_those_who_must_add_a_factor_do_that_first(
    client: httpx.AsyncClient,
    person: Person,
    resources: Resources,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    path: str,
) -> None:
    changed = copy(resources.settings)
    changed.factors = changed.factors.model_copy(update={"is_required": True})
    monkeypatch.setattr(resources, "settings", changed)
    response = await client.request(method, f"/api/v1/auth/account/{path}", json={}, headers=person.headers)
    assert (response.status_code, response.json()["error"]) == (403, "auth.permission_denied")


async def test_users_need_the_permissions(
    client: httpx.AsyncClient, added: list[tuple[RouteInfo, Access]], person: Person
) -> None:
    guarded = [route for route, access in added if access is Access.PERMISSION]
    assert {await call(client, route, person.headers) for route in guarded} == {(403, "auth.permission_denied")}


async def test_no_key_can_act_as_somebody(client: httpx.AsyncClient, admin: Person) -> None:
    response = await client.post(PATH, json={"name": "Test", "codes": [ACT_AS]}, headers=admin.headers)
    assert (response.status_code, requires_login(ACT_AS)) == (422, True)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"/api/v1/users/{UUID(int=0)}/act-as"),
        ("POST", "/api/v1/auth/account/deletion"),
        ("POST", "/api/v1/auth/account/export"),
        ("GET", "/api/v1/auth/account/export"),
    ],
)
async def test_a_login_of_ten_minutes_ago_is_not_enough(
    client: httpx.AsyncClient, clock: Clock, people: People, method: str, path: str
) -> None:
    admin = await people.create(is_admin=True)
    clock.advance(601)
    response = await client.request(method, path, json={}, headers=admin.headers)
    assert (response.status_code, response.json()["error"]) == (401, "auth.recent_login_required")
