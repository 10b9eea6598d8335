"""Routes for callers who have proved who they are a short time ago."""

from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest
from fastapi import FastAPI

from src.core.resources import Resources
from src.crud.session import session_key
from src.deps.recent import require_recent
from src.websockets.server import AsyncServer
from src.websockets.testing import SocketClient
from tests.security.conftest import Clock
from tests.support.api_keys import bearer
from tests.support.login import encrypted
from tests.support.people import USER_AGENT, People, Person

TEN_MINUTES = 600
SET_PASSWORD = "PUT:/api/v1/users/{userId}/password"


def claims(token: str) -> dict[str, Any]:
    content: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return content


async def set_password(client: httpx.AsyncClient, actor: Person, other: Person) -> tuple[int, str | None]:
    body = await encrypted(client, uuid4().hex)
    response = await client.put(f"/api/v1/users/{other.user.id}/password", json=body, headers=actor.headers)
    return response.status_code, response.json().get("error")


async def refresh(client: httpx.AsyncClient, token: str) -> dict[str, Any]:
    headers = {"X-Refresh-Token": token, "User-Agent": USER_AGENT}
    pair: dict[str, Any] = (await client.post("/api/v1/auth/token/refresh", headers=headers)).json()["data"]
    return pair


class TestARecentLogin:
    async def test_is_enough_for_ten_minutes(self, client: httpx.AsyncClient, people: People, clock: Clock) -> None:
        actor, other = await people.create(is_admin=True), await people.create()
        clock.advance(TEN_MINUTES - 5)
        assert (await set_password(client, actor, other))[0] == 200
        clock.advance(10)
        assert await set_password(client, actor, other) == (401, "auth.recent_login_required")

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
        body = await encrypted(client, uuid4().hex)
        path = f"/api/v1/users/{other.user.id}/password"
        response = await client.put(path, json=body, headers={"Authorization": f"Bearer {token}"})
        assert response.status_code == 401

    async def test_of_a_session_of_the_version_before_is_unknown(
        self, client: httpx.AsyncClient, person: Person, resources: Resources
    ) -> None:
        await resources.redis.hdel(session_key(person.user.id, person.tokens.session_id), "authenticated_at")
        pair = await refresh(client, person.tokens.refresh_token)
        assert claims(pair["accessToken"])["auth_time"] == 0

    async def test_is_nothing_that_an_api_key_has(self, client: httpx.AsyncClient, key: dict[str, Any]) -> None:
        response = await client.put(f"/api/v1/users/{uuid4()}/password", json={}, headers=bearer(key["key"]))
        assert response.status_code == 403  # no key holds the code


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
