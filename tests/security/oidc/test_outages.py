"""A provider that is down, slow, or not what it should be: a clear error, and logins with a password go on."""

import asyncio
import gzip
import json
import time
from collections.abc import Callable
from unittest.mock import AsyncMock

import httpx
import pytest

from src.core.oidc.contact import Contact
from src.core.oidc.errors import OidcUnavailableError
from src.core.oidc.published import PublishedCache
from src.models.user import User
from tests.security.oidc.conftest import START, Setup, error_of, log_in, to_callback
from tests.support.login import log_in as log_in_with_password
from tests.support.openid import Answer, Json, OpenIDProvider, key

UNAVAILABLE = (503, "auth.oidc_unavailable")
JSON = {"Content-Type": "application/json"}

ANSWERS: dict[str, Callable[[], Answer]] = {
    "503": lambda: (503, {}, b""),
    "404": lambda: (404, JSON, b"{}"),
    "no JSON": lambda: (200, JSON, b"<html>"),
    "a list": lambda: (200, JSON, b"[]"),
    "text": lambda: (200, JSON, b'"text"'),
    "nothing": lambda: (200, JSON, b""),
    "too much": lambda: (200, JSON, b'{"a": "%s"}' % (b"x" * 300_000)),
    "too deep": lambda: (200, JSON, b"[" * 100_000),
    "compressed": lambda: (200, {**JSON, "Content-Encoding": "gzip"}, gzip.compress(b'{"a": "%s"}' % (b"x" * 300_000))),
    "elsewhere": lambda: (302, {"Location": "http://169.254.169.254/latest/meta-data"}, b""),
}


@pytest.mark.parametrize("endpoint", ["token_endpoint", "jwks_uri", "userinfo_endpoint"])
@pytest.mark.parametrize("url", ["http://127.0.0.1:6379/", "http://localhost/", "https://[::1]/"])
async def test_a_provider_elsewhere_sends_no_requests_to_this_machine(endpoint: str, url: str) -> None:
    issuer, names = "https://idp.example", ("authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint")
    contact = AsyncMock(Contact)
    contact.get_json.return_value = {**dict.fromkeys(names, f"{issuer}/x"), "issuer": issuer, endpoint: url}
    with pytest.raises(OidcUnavailableError):
        await PublishedCache("test", issuer, contact, allows_http=False, clock=time.time).get()
    contact.get_json.assert_awaited_once()


class TestAProvider:
    @pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
    @pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/jwks"])
    async def test_whose_documents_are_unusable_is_unavailable(
        self, client: httpx.AsyncClient, provider: OpenIDProvider, path: str, answer: Callable[[], Answer]
    ) -> None:
        provider.answers[path] = answer
        response = await client.get(START)
        assert error_of(response) == UNAVAILABLE
        assert response.headers["Retry-After"] == "10"
        assert "Set-Cookie" not in response.headers
        del provider.answers[path]
        assert (await client.get(START)).status_code == 302

    @pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS.keys())
    async def test_whose_token_endpoint_is_unusable_logs_nobody_in(
        self, client: httpx.AsyncClient, provider: OpenIDProvider, linked: User, answer: Callable[[], Answer]
    ) -> None:
        url = await to_callback(client)
        provider.answers["/token"] = answer
        assert error_of(await client.get(url)) in (UNAVAILABLE, (401, "auth.oidc_failed"))

    @pytest.mark.parametrize(
        "changes",
        [
            {"issuer": "https://evil.example"},
            {"issuer": None},
            {"token_endpoint": "http://idp.example/token"},
            {"jwks_uri": "file:///etc/passwd"},
            {"authorization_endpoint": "javascript:alert(1)"},
            {"authorization_endpoint": "https://idp.example@evil.example/"},
            {"userinfo_endpoint": "http://10.0.0.1/"},
            {"token_endpoint": None},
            {"jwks_uri": 7},
            {"token_endpoint": "https://[::1/"},
        ],
        ids=str,
    )
    async def test_with_other_metadata_is_unavailable(
        self, client: httpx.AsyncClient, provider: OpenIDProvider, changes: Json
    ) -> None:
        provider.metadata = changes
        assert error_of(await client.get(START)) == UNAVAILABLE

    async def test_that_leads_elsewhere_is_not_followed(
        self, client: httpx.AsyncClient, provider: OpenIDProvider
    ) -> None:
        keys = json.dumps({"keys": [key(0).as_dict(private=False)]}).encode()
        provider.answers["/jwks"] = lambda: (302, {"Location": "/elsewhere"}, b"")
        provider.answers["/elsewhere"] = lambda: (200, JSON, keys)
        assert error_of(await client.get(START)) == UNAVAILABLE
        assert "/elsewhere" not in provider.requests

    async def test_that_is_slow_is_given_up(
        self, client: httpx.AsyncClient, provider: OpenIDProvider, setup: Setup
    ) -> None:
        setup.configure(timeout_seconds=0.2)
        released = asyncio.Event()
        loop = asyncio.get_running_loop()

        def wait() -> Answer:
            asyncio.run_coroutine_threadsafe(released.wait(), loop).result()
            return 200, JSON, b"{}"

        provider.answers["/.well-known/openid-configuration"] = wait
        try:
            assert error_of(await client.get(START)) == UNAVAILABLE
        finally:
            released.set()

    async def test_that_is_down_keeps_nobody_from_logging_in_with_a_password(
        self, client: httpx.AsyncClient, provider: OpenIDProvider, setup: Setup, linked: User
    ) -> None:
        setup.change(issuer="http://127.0.0.1:9")
        assert error_of(await client.get(START)) == UNAVAILABLE
        assert (await log_in_with_password(client, linked.username)).status_code == 200

    async def test_is_asked_once_an_hour_for_what_it_publishes(
        self, client: httpx.AsyncClient, provider: OpenIDProvider, linked: User
    ) -> None:
        await asyncio.gather(*(client.get(START) for _ in range(5)))
        assert (await log_in(client)).status_code == 200
        documents = [path for path in provider.requests if path in ("/.well-known/openid-configuration", "/jwks")]
        assert len(documents) == 2

    async def test_with_secrets_in_the_body_alone_gets_them_there(
        self, client: httpx.AsyncClient, provider: OpenIDProvider, linked: User
    ) -> None:
        provider.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
        assert error_of(await log_in(client)) == (401, "auth.oidc_failed")  # this one wants them in the header
        assert json.dumps(provider.requests).count("/token") == 1
