"""What is stolen, changed, mixed up, replayed or made up logs nobody in."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from src.core.resources import Resources
from src.models.user import User
from tests.security.conftest import Clock
from tests.security.oidc.conftest import (
    CALLBACK,
    OIDC,
    START,
    direct,
    error_of,
    log_in,
    new_client,
    to_callback,
    visit,
    with_query,
)
from tests.support.openid import Json, OpenIDProvider, key, signed

pytestmark = pytest.mark.usefixtures("linked")

STATE, FAILED, DENIED = (400, "auth.oidc_state"), (401, "auth.oidc_failed"), (401, "auth.oidc_denied")


def encode(part: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def by_hmac(claims: Json, algorithm: str) -> str:
    """Signed with what everybody knows: the public key."""
    content = f"{encode({'alg': algorithm, 'kid': key(0).kid})}.{encode(claims)}"
    for_hmac = hmac.new(key(0).as_pem(private=False), content.encode(), hashlib.sha256).digest()
    return f"{content}.{base64.urlsafe_b64encode(for_hmac).rstrip(b'=').decode()}"


class TestTheState:
    async def test_is_needed(self, client: httpx.AsyncClient) -> None:
        url = await to_callback(client)
        assert error_of(await client.get(with_query(url, state=None))) == STATE
        assert error_of(await client.get(CALLBACK)) == STATE

    async def test_of_a_foreign_login_is_refused(self, client: httpx.AsyncClient, oidc_app: FastAPI) -> None:
        url = await to_callback(client)
        async with new_client(oidc_app) as foreign:
            await foreign.get(START)  # has a cookie of its own
            assert error_of(await foreign.get(url)) == STATE
        assert error_of(await client.get(url)) == STATE  # it serves once, whoever uses it

    async def test_without_a_cookie_is_refused(self, client: httpx.AsyncClient) -> None:
        url = await to_callback(client)
        client.cookies.clear()
        assert error_of(await client.get(url)) == STATE

    async def test_serves_once(self, client: httpx.AsyncClient) -> None:
        url = await to_callback(client)
        assert (await client.get(url)).status_code == 200
        assert error_of(await client.get(url)) == STATE

    async def test_of_another_provider_is_refused(self, client: httpx.AsyncClient, other: OpenIDProvider) -> None:
        url = await to_callback(client, "other")
        await client.get(START)
        assert error_of(await client.get(url.replace("/other/", "/test/"))) == STATE

    async def test_of_another_provider_is_refused_whatever_the_cookies(
        self, client: httpx.AsyncClient, other: OpenIDProvider
    ) -> None:
        url = await to_callback(client, "other")
        (cookie,) = client.cookies.jar
        client.cookies.set("__Host-oidc-test", cookie.value or "", domain=cookie.domain, path="/")
        assert error_of(await client.get(url.replace("/other/", "/test/"))) == STATE

    async def test_ends_after_ten_minutes(self, client: httpx.AsyncClient, resources: Resources) -> None:
        url = await to_callback(client)
        keys = [key async for key in resources.redis.scan_iter("auth:oidc:state:*", count=1000)]
        assert {0 < await resources.redis.ttl(key) <= 600 for key in keys} == {True}
        await resources.redis.delete(*keys)  # what Redis does then
        assert error_of(await client.get(url)) == STATE

    async def test_is_not_stored_in_clear(self, client: httpx.AsyncClient, resources: Resources) -> None:
        url = httpx.URL(await to_callback(client))
        keys = [str(key) async for key in resources.redis.scan_iter("auth:oidc:*", count=1000)]
        stored = " ".join([*keys, *[str(await resources.redis.get(key)) for key in keys if ":state:" in key]])
        cookie = next(iter(client.cookies.jar)).value
        assert url.params["state"] not in stored
        assert cookie
        assert cookie not in stored


class TestTheCode:
    async def test_of_another_login_is_refused(self, client: httpx.AsyncClient, oidc_app: FastAPI) -> None:
        """Injection: the attacker's code in the victim's callback, whose PKCE verifier is another."""
        async with new_client(oidc_app) as attacker:
            theirs = httpx.URL(await to_callback(attacker)).params["code"]
        own = await to_callback(client)
        assert error_of(await client.get(with_query(own, code=theirs))) == FAILED

    async def test_that_was_made_up_is_refused(self, client: httpx.AsyncClient) -> None:
        assert error_of(await client.get(with_query(await to_callback(client), code="x"))) == FAILED

    async def test_that_is_missing_is_a_refusal_of_the_provider(self, client: httpx.AsyncClient) -> None:
        url = with_query(await to_callback(client), code=None, error="access_denied")
        assert error_of(await client.get(url)) == DENIED
        assert error_of(await client.get(with_query(await to_callback(client), error="x" * 50))) == DENIED


class TestTheIssuerOfTheResponse:
    """RFC 9207: two providers, of which one sends the browser back with the response of the other."""

    async def test_of_another_provider_is_refused(self, client: httpx.AsyncClient, other: OpenIDProvider) -> None:
        url = with_query(await to_callback(client), iss=other.issuer)
        assert error_of(await client.get(url)) == FAILED

    async def test_that_is_missing_is_refused_if_the_provider_sends_it(
        self, client: httpx.AsyncClient, provider: OpenIDProvider
    ) -> None:
        provider.answers_with_iss = True
        assert (await log_in(client)).status_code == 200
        assert error_of(await client.get(with_query(await to_callback(client), iss=None))) == FAILED

    async def test_a_code_of_another_provider_gets_nothing(
        self, client: httpx.AsyncClient, provider: OpenIDProvider, other: OpenIDProvider
    ) -> None:
        other.sign = lambda claims: signed({**claims, "iss": provider.issuer}, key(0))
        other.keys = [key(1)]
        assert error_of(await log_in(client, "other")) == FAILED


CHANGES: dict[str, Callable[[Json], Any]] = {
    "nonce": lambda claims: claims.update(nonce="another"),
    "no nonce": lambda claims: claims.pop("nonce"),
    "aud": lambda claims: claims.update(aud="another"),
    "aud of others": lambda claims: claims.update(aud=["another", "third"], azp="shop"),
    "no aud": lambda claims: claims.pop("aud"),
    "several aud without azp": lambda claims: claims.update(aud=["shop", "another"]),
    "azp": lambda claims: claims.update(azp="another"),
    "iss": lambda claims: claims.update(iss="https://evil.example"),
    "iss with a slash": lambda claims: claims.update(iss=claims["iss"] + "/"),
    "no iss": lambda claims: claims.pop("iss"),
    "expired": lambda claims: claims.update(exp=claims["iat"] - 61),
    "no exp": lambda claims: claims.pop("exp"),
    "exp is NaN": lambda claims: claims.update(exp=float("nan")),
    "exp is text": lambda claims: claims.update(exp="2100-01-01"),
    "iat is NaN": lambda claims: claims.update(iat=float("nan")),
    "from the future": lambda claims: claims.update(iat=claims["iat"] + 3600, exp=claims["exp"] + 7200),
    "not yet": lambda claims: claims.update(nbf=claims["iat"] + 3600),
    "issued long ago": lambda claims: claims.update(iat=claims["iat"] - 700),
    "no sub": lambda claims: claims.pop("sub"),
    "sub is a list": lambda claims: claims.update(sub=[claims["sub"]]),
    "empty sub": lambda claims: claims.update(sub=""),
    "NUL in sub": lambda claims: claims.update(sub=claims["sub"] + "\0"),
    "at_hash": lambda claims: claims.update(at_hash="AAAAAAAAAAAAAAAAAAAAAA"),
}

FORGERIES: dict[str, Callable[[Json], str]] = {
    "alg none": lambda claims: f"{encode({'alg': 'none'})}.{encode(claims)}.",
    "alg None": lambda claims: f"{encode({'alg': 'None', 'kid': key(0).kid})}.{encode(claims)}.e30",
    "HS256 with the public key": lambda claims: by_hmac(claims, "HS256"),
    "RS256 in name alone": lambda claims: by_hmac(claims, "RS256"),
    "another key": lambda claims: signed(claims, key(9), kid=key(0).kid),
    "a key in the header": lambda claims: signed(claims, key(9), kid=None, jwk=key(9).as_dict(private=False)),
    "a key that nobody published": lambda claims: signed(claims, key(9)),
    "an algorithm that is not the provider's": lambda claims: signed(claims, key(0), alg="PS256"),
    "a foreign signature": lambda claims: ".".join(
        [*signed(claims, key(0)).split(".")[:2], signed({}, key(0)).split(".")[2]]
    ),
    "no signature": lambda claims: ".".join([*signed(claims, key(0)).split(".")[:2], ""]),
    "critical header": lambda claims: f"{encode({'alg': 'RS256', 'crit': ['x'], 'x': 1})}.{encode(claims)}.e30",
    "not a token": lambda _: "token",
    "a list": lambda _: signed([1], key(0)),
}


class TestTheIDToken:
    @pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
    async def test_with_another_claim_is_refused(
        self, client: httpx.AsyncClient, provider: OpenIDProvider, change: Callable[[Json], Any]
    ) -> None:
        provider.change = change
        assert error_of(await log_in(client)) == FAILED

    @pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES.keys())
    async def test_that_is_forged_is_refused(
        self, client: httpx.AsyncClient, provider: OpenIDProvider, forge: Callable[[Json], str]
    ) -> None:
        provider.sign = forge
        assert error_of(await log_in(client)) == FAILED

    async def test_of_a_login_before_is_refused(self, client: httpx.AsyncClient, provider: OpenIDProvider) -> None:
        tokens: list[str] = []

        def sign(claims: Json) -> str:
            tokens.append(signed(claims, key(0)))
            return tokens[0]

        provider.sign = sign
        assert (await log_in(client)).status_code == 200
        assert error_of(await log_in(client)) == FAILED

    async def test_with_other_headers_is_accepted(self, client: httpx.AsyncClient, provider: OpenIDProvider) -> None:
        provider.sign = lambda claims: signed(claims, key(0), **{"x-custom": 1, "typ": None})
        assert (await log_in(client)).status_code == 200

    async def test_with_our_azp_may_have_other_audiences(
        self, client: httpx.AsyncClient, provider: OpenIDProvider
    ) -> None:
        provider.change = lambda claims: claims.update(aud=["shop", "another"], azp="shop")
        assert (await log_in(client)).status_code == 200


class TestRotatedKeys:
    async def test_are_fetched_when_they_are_used(self, client: httpx.AsyncClient, provider: OpenIDProvider) -> None:
        assert (await log_in(client)).status_code == 200
        provider.keys = [key(0), key(1)]
        assert (await log_in(client)).status_code == 200
        assert provider.requests.count("/jwks") == 2

    async def test_unknown_ones_are_looked_for_once_a_minute(
        self, client: httpx.AsyncClient, provider: OpenIDProvider, resources: Resources
    ) -> None:
        clock = Clock()
        direct("test", resources, clock=clock)
        provider.sign = lambda claims: signed(claims, key(9))
        for _ in range(4):
            assert error_of(await log_in(client)) == FAILED
        assert provider.requests.count("/jwks") == 2
        clock.advance(61)
        assert error_of(await log_in(client)) == FAILED
        assert provider.requests.count("/jwks") == 3

    async def test_withdrawn_ones_are_forgotten_within_an_hour(
        self, client: httpx.AsyncClient, provider: OpenIDProvider, resources: Resources
    ) -> None:
        clock = Clock()
        direct("test", resources, clock=clock)
        assert (await log_in(client)).status_code == 200
        provider.keys = [key(1)]
        provider.sign = lambda claims: signed(
            {**claims, "iat": claims["iat"] + 3601, "exp": claims["exp"] + 7200}, key(0)
        )
        clock.advance(3601)
        assert error_of(await log_in(client)) == FAILED

    async def test_keys_of_unknown_kinds_are_no_obstacle(
        self, client: httpx.AsyncClient, provider: OpenIDProvider
    ) -> None:
        keys = [{"kty": "future"}, {"kty": "RSA", "n": "!"}, "text", {"kty": "oct", "k": "c2VjcmV0"}]
        keys.append(key(0).as_dict(private=False))
        body = json.dumps({"keys": keys}).encode()
        provider.answers["/jwks"] = lambda: (200, {"Content-Type": "application/json"}, body)
        assert (await log_in(client)).status_code == 200


class TestTheVerifier:
    async def test_is_sent_to_the_provider_alone(self, client: httpx.AsyncClient, linked: User) -> None:
        url = (await client.get(START)).headers["Location"]
        assert "verifier" not in url
        assert "verifier" not in await visit(url)

    async def test_is_the_one_of_the_challenge(self, client: httpx.AsyncClient) -> None:
        """The provider checks it: another challenge, and it refuses the code."""
        started = (await client.get(START)).headers["Location"]
        callback = await visit(with_query(started, code_challenge="A" * 43))
        assert error_of(await client.get(callback)) == FAILED


async def test_failures_are_in_the_audit_log_once_the_browser_is_known(client: httpx.AsyncClient, uow: Any) -> None:
    from tests.support.outbox import audit_entries

    await client.get(CALLBACK)
    await client.get(with_query(await to_callback(client), code="x"))
    entries = await audit_entries(uow, f"GET:{OIDC}/{{provider}}/callback")
    assert [(entry["result"], entry["error"]) for entry in entries] == [("failure", "auth.oidc_failed")]
