"""With a frontend, the browser ends there, with a code for the tokens."""

import base64
import hashlib
from typing import Any

import httpx
import pytest

from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.models.user import User
from tests.security.oidc.conftest import (
    EXCHANGE,
    INFO,
    PAGE,
    Setup,
    error_of,
    fragment,
    log_in,
    secret_text,
    to_callback,
    with_query,
)
from tests.support.openid import OpenIDProvider

STATE = (400, "auth.oidc_state")


@pytest.fixture(autouse=True)
def _frontend(setup: Setup) -> None:
    setup.configure(frontend_url=PAGE)


async def exchange(client: httpx.AsyncClient, code: str, **body: str) -> httpx.Response:
    return await client.post(EXCHANGE, json={"code": code, **body})


class TestTheCode:
    async def test_gets_the_tokens_of_the_user(self, client: httpx.AsyncClient, linked: User) -> None:
        called_with = fragment(await log_in(client))
        assert called_with.pop("provider") == "test"
        response = await exchange(client, called_with.pop("code"))
        assert called_with == {}
        assert response.status_code == 200
        assert response.headers["X-Device-Token"]
        headers = {"Authorization": f"Bearer {response.json()['data']['accessToken']}"}
        assert (await client.get(INFO, headers=headers)).json()["data"]["username"] == linked.username

    async def test_serves_once(self, client: httpx.AsyncClient, linked: User) -> None:
        code = fragment(await log_in(client))["code"]
        assert (await exchange(client, code)).status_code == 200
        assert error_of(await exchange(client, code)) == STATE

    async def test_is_good_for_a_minute(self, client: httpx.AsyncClient, linked: User, resources: Resources) -> None:
        code = fragment(await log_in(client))["code"]
        keys = [key async for key in resources.redis.scan_iter("auth:oidc:code:*", count=1000)]
        assert {0 < await resources.redis.ttl(key) <= 60 for key in keys} == {True}
        await resources.redis.delete(*keys)
        assert error_of(await exchange(client, code)) == STATE

    async def test_stores_no_token(self, client: httpx.AsyncClient, linked: User, resources: Resources) -> None:
        await log_in(client)
        keys = [str(key) async for key in resources.redis.scan_iter("auth:oidc:code:*", count=1000)]
        stored = " ".join([str(await resources.redis.get(key)) for key in keys])
        assert "eyJ" not in stored
        assert not [key async for key in resources.redis.scan_iter(f"auth:session:{{{linked.id}}}:*", count=1000)]

    async def test_of_a_user_who_was_disabled_gets_nothing(
        self, client: httpx.AsyncClient, linked: User, uow: UnitOfWork
    ) -> None:
        code = fragment(await log_in(client))["code"]
        linked.status = False
        uow.session.add(linked)
        await uow.session.commit()
        assert error_of(await exchange(client, code)) == (401, "auth.unauthorized")


class TestTheVerifier:
    """The frontend's own PKCE: whoever reads the code has no use for it, and nobody is logged in as somebody else."""

    @pytest.mark.parametrize("kind", ["right", "wrong", "missing"])
    async def test_is_needed_if_there_is_a_challenge(self, client: httpx.AsyncClient, linked: User, kind: str) -> None:
        verifier = secret_text()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        code = fragment(await client.get(await to_callback(client, codeChallenge=challenge)))["code"]
        body: dict[str, Any] = {"right": {"codeVerifier": verifier}, "wrong": {"codeVerifier": secret_text()}}
        response = await exchange(client, code, **body.get(kind, {}))
        assert response.status_code == (200 if kind == "right" else 400)
        assert (await exchange(client, code, codeVerifier=verifier)).status_code == 400

    async def test_refuses_a_login_that_was_started_elsewhere(self, client: httpx.AsyncClient, linked: User) -> None:
        """A page that has a verifier sends it: a code without a challenge, from an attacker's link, is not for it."""
        code = fragment(await log_in(client))["code"]
        assert error_of(await exchange(client, code, codeVerifier=secret_text())) == STATE

    async def test_is_a_challenge_of_sha256(self, client: httpx.AsyncClient) -> None:
        response = await client.get("/api/v1/auth/oidc/test/start", params={"codeChallenge": "plain"})
        assert error_of(response) == (422, "request.validation")


class TestErrors:
    async def test_are_shown_by_the_page(self, client: httpx.AsyncClient, provider: OpenIDProvider) -> None:
        assert fragment(await log_in(client)) == {"error": "auth.oidc_not_linked"}
        assert fragment(await client.get(with_query(await to_callback(client), code="x"))) == {
            "error": "auth.oidc_failed"
        }
        provider.answers["/token"] = lambda: (503, {}, b"")
        assert fragment(await log_in(client)) == {"error": "auth.oidc_unavailable"}

    async def test_the_page_is_that_of_the_settings(self, client: httpx.AsyncClient) -> None:
        url = with_query(
            await to_callback(client), code="x", next="https://evil.example", redirect_uri="//evil.example"
        )
        assert fragment(await client.get(url)) == {"error": "auth.oidc_failed"}
