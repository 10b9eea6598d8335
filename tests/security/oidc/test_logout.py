"""Back-channel logout: the provider tells that somebody has logged out there."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from src.models.user import User
from tests.security.oidc.conftest import (
    EXCHANGE,
    INFO,
    LOGOUT,
    PAGE,
    Setup,
    error_of,
    fragment,
    log_in,
    to_callback,
)
from tests.security.oidc.test_attacks import FORGERIES
from tests.support.openid import LOGOUT_EVENT, Json, OpenIDProvider, key, signed
from tests.support.people import People

pytestmark = pytest.mark.usefixtures("linked")

INVALID = (400, "auth.invalid_logout_token")


async def session(client: httpx.AsyncClient) -> dict[str, str]:
    """Headers of a session that was started with the provider."""
    tokens = (await log_in(client)).json()["data"]
    return {"Authorization": f"Bearer {tokens['accessToken']}"}


async def send(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.post(LOGOUT, data={"logout_token": token})


async def alive(client: httpx.AsyncClient, *sessions: dict[str, str]) -> list[bool]:
    return [(await client.get(INFO, headers=each)).status_code == 200 for each in sessions]


class TestALogout:
    async def test_of_a_session_ends_what_came_from_it(
        self, client: httpx.AsyncClient, provider: OpenIDProvider, linked: User, people: People
    ) -> None:
        first = await session(client)
        logout = provider.logout_token(sub=None)
        provider.claims["sid"] = "another"
        second, by_password = await session(client), (await people.login(linked)).headers
        response = await send(client, signed(logout, key(0), typ="logout+jwt"))
        assert response.status_code == 200
        assert response.headers["Cache-Control"] == "no-store"
        assert await alive(client, first, second, by_password) == [False, True, True]

    async def test_of_a_person_ends_all_sessions_that_came_from_them(
        self, client: httpx.AsyncClient, provider: OpenIDProvider, linked: User, people: People
    ) -> None:
        first = await session(client)
        del provider.claims["sid"]
        second, by_password = await session(client), (await people.login(linked)).headers
        provider.claims["sid"] = ""
        assert (await send(client, signed(provider.logout_token(sid=None), key(0)))).status_code == 200
        assert await alive(client, first, second, by_password) == [False, False, True]

    async def test_of_another_person_ends_nothing(self, client: httpx.AsyncClient, provider: OpenIDProvider) -> None:
        own = await session(client)
        logout = provider.logout_token(sub="another", sid=None)
        assert (await send(client, signed(logout, key(0)))).status_code == 200
        assert await alive(client, own) == [True]

    async def test_overtakes_a_login_that_is_under_way(
        self, client: httpx.AsyncClient, provider: OpenIDProvider, setup: Setup
    ) -> None:
        setup.configure(frontend_url=PAGE)
        code = fragment(await client.get(await to_callback(client)))["code"]
        assert (await send(client, signed(provider.logout_token(sub=None), key(0)))).status_code == 200
        assert error_of(await client.post(EXCHANGE, json={"code": code})) == (401, "auth.oidc_failed")

    async def test_lets_the_person_log_in_again(self, client: httpx.AsyncClient, provider: OpenIDProvider) -> None:
        past = provider.logout_token(sid=None)
        past["iat"] -= 10
        assert (await send(client, signed(past, key(0)))).status_code == 200
        provider.claims["sid"] = "next"
        assert await alive(client, await session(client)) == [True]


CHANGES: dict[str, Callable[[Json], Any]] = {
    "iss": lambda claims: claims.update(iss="https://evil.example"),
    "aud": lambda claims: claims.update(aud="another"),
    "no aud": lambda claims: claims.pop("aud"),
    "expired": lambda claims: claims.update(exp=claims["iat"] - 61),
    "too old": lambda claims: claims.update(iat=claims["iat"] - 700),
    "no iat": lambda claims: claims.pop("iat"),
    "from the future": lambda claims: claims.update(iat=claims["iat"] + 3600),
    "no jti": lambda claims: claims.pop("jti"),
    "empty jti": lambda claims: claims.update(jti=""),
    "jti is a number": lambda claims: claims.update(jti=7),
    "a nonce": lambda claims: claims.update(nonce="n"),
    "no events": lambda claims: claims.pop("events"),
    "another event": lambda claims: claims.update(events={"https://example.com/event": {}}),
    "events is a list": lambda claims: claims.update(events=[LOGOUT_EVENT]),
    "event is null": lambda claims: claims.update(events={LOGOUT_EVENT: None}),
    "nobody": lambda claims: [claims.pop(name) for name in ("sub", "sid")],
    "sid is a list": lambda claims: claims.update(sid=[claims["sid"]]),
}


class TestALogoutToken:
    @pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
    async def test_with_another_claim_is_refused(
        self, client: httpx.AsyncClient, provider: OpenIDProvider, change: Callable[[Json], Any]
    ) -> None:
        own, claims = await session(client), provider.logout_token()
        change(claims)
        assert error_of(await send(client, signed(claims, key(0)))) == INVALID
        assert await alive(client, own) == [True]

    @pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES.keys())
    async def test_that_is_forged_is_refused(
        self, client: httpx.AsyncClient, provider: OpenIDProvider, forge: Callable[[Json], str]
    ) -> None:
        assert error_of(await send(client, forge(provider.logout_token()))) == INVALID

    @pytest.mark.parametrize("typ", ["at+jwt", "dpop+jwt", "logout"])
    async def test_of_another_type_is_refused(
        self, client: httpx.AsyncClient, provider: OpenIDProvider, typ: str
    ) -> None:
        assert error_of(await send(client, signed(provider.logout_token(), key(0), typ=typ))) == INVALID

    async def test_serves_once(self, client: httpx.AsyncClient, provider: OpenIDProvider) -> None:
        token = signed(provider.logout_token(), key(0))
        assert (await send(client, token)).status_code == 200
        assert error_of(await send(client, token)) == INVALID
        # The same jti in another token is the same logout.
        claims = provider.logout_token(jti="same")
        assert (await send(client, signed(claims, key(0)))).status_code == 200
        assert error_of(await send(client, signed({**claims, "exp": claims["exp"] + 1}, key(0)))) == INVALID

    async def test_an_id_token_is_none(self, client: httpx.AsyncClient, provider: OpenIDProvider) -> None:
        assert error_of(await send(client, signed(provider.id_token("n"), key(0)))) == INVALID

    async def test_of_another_provider_is_refused(
        self, client: httpx.AsyncClient, provider: OpenIDProvider, other: OpenIDProvider
    ) -> None:
        assert error_of(await send(client, signed(other.logout_token(sub=provider.claims["sub"]), key(0)))) == INVALID

    async def test_is_needed(self, client: httpx.AsyncClient) -> None:
        assert error_of(await client.post(LOGOUT, data={})) == (422, "request.validation")
