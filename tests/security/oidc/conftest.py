"""The application with two OpenID providers, and a browser that logs in there."""

import secrets
from collections.abc import AsyncIterator, Iterator
from copy import copy
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from src.core.config import Settings, settings
from src.core.config.identity.oidc import OidcSettings
from src.core.effects import TaskCall
from src.core.oidc.provider import OidcProvider
from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.main import create_app, server
from src.models.linked_identity import LinkedIdentity
from src.models.user import User
from tests.support.documented import documented_by
from tests.support.openid import CLIENT_ID, CLIENT_SECRET, OpenIDProvider, openid_provider
from tests.support.people import USER_AGENT

OIDC, IDENTITIES, EXCHANGE = "/api/v1/auth/oidc", "/api/v1/auth/identities", "/api/v1/auth/login/oidc"
START, CALLBACK, LINK = f"{OIDC}/test/start", f"{OIDC}/test/callback", f"{OIDC}/test/link"
LOGOUT, INFO = f"{OIDC}/test/backchannel-logout", "/api/v1/auth/user/info"
HOST = "https://api.example.com"
PAGE = "https://shop.example/login"


@pytest.fixture(scope="session")
def session_providers() -> Iterator[tuple[OpenIDProvider, OpenIDProvider]]:
    with openid_provider() as first, openid_provider() as second:
        yield first, second


@pytest.fixture(scope="session")
def oidc_settings(session_providers: tuple[OpenIDProvider, OpenIDProvider]) -> Settings:
    with_oidc = copy(settings)
    common = {"clientId": CLIENT_ID, "clientSecret": CLIENT_SECRET}
    first, second = ({**common, "issuer": each.issuer} for each in session_providers)
    providers = {"test": {**first, "displayName": "Test & Co"}, "other": second}
    with_oidc.oidc = OidcSettings.model_validate({"OIDC_PROVIDERS": providers, "OIDC_PUBLIC_URL": HOST})
    with_oidc.oidc.check(allows_http=False)
    mails = {"smtp_url": SecretStr("smtp://127.0.0.1:9"), "sender": "a@example.com", "link_url": "https://shop.example"}
    with_oidc.email = settings.email.model_copy(update=mails)
    return with_oidc


@pytest.fixture(scope="session")
def oidc_app(oidc_settings: Settings) -> FastAPI:
    return create_app(oidc_settings, server)


@pytest.fixture
def provider(session_providers: tuple[OpenIDProvider, OpenIDProvider]) -> OpenIDProvider:
    session_providers[0].reset()
    return session_providers[0]


@pytest.fixture
def other(session_providers: tuple[OpenIDProvider, OpenIDProvider]) -> OpenIDProvider:
    session_providers[1].reset()
    return session_providers[1]


class Setup:
    """Changes the settings of a test."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def configure(self, **changes: Any) -> None:
        """Change the settings that all providers share."""
        self.settings.oidc = self.settings.oidc.model_copy(update=changes)

    def change(self, **changes: Any) -> None:
        """Change those of the provider `test`."""
        providers = self.settings.oidc.providers
        self.configure(providers={**providers, "test": providers["test"].model_copy(update=changes)})


@pytest.fixture
def setup(oidc_settings: Settings, resources: Resources, monkeypatch: pytest.MonkeyPatch) -> Setup:
    """The settings of this test; providers are asked anew what they publish."""
    own = copy(oidc_settings)
    monkeypatch.setattr(resources, "settings", own)
    monkeypatch.setattr(resources, "oidc_providers", {})
    return Setup(own)


@pytest.fixture
async def client(
    oidc_app: FastAPI, setup: Setup, provider: OpenIDProvider, uow: UnitOfWork, sent: list[TaskCall]
) -> AsyncIterator[httpx.AsyncClient]:
    """A browser with an address of its own, and its cookies."""
    async with new_client(oidc_app) as client:
        yield client


def new_client(app: FastAPI) -> httpx.AsyncClient:
    """Another browser."""
    transport = httpx.ASGITransport(app, client=(f"test-{uuid4().hex}", 1))
    hooks = {"response": [documented_by(app)]}
    headers = {"User-Agent": USER_AGENT}
    return httpx.AsyncClient(transport=transport, base_url=HOST, headers=headers, event_hooks=hooks)


async def visit(url: str) -> str:
    """Log in at the provider; returns the URL that the browser is sent back to."""
    async with httpx.AsyncClient() as browser:
        response = await browser.get(url)
    assert response.status_code == 302, response.text
    return response.headers["Location"]


async def to_callback(client: httpx.AsyncClient, provider: str = "test", **query: str) -> str:
    """Start a login, and log in at the provider; returns the URL of the callback."""
    started = await client.get(f"{OIDC}/{provider}/start", params=query)
    assert started.status_code == 302, started.text
    return await visit(started.headers["Location"])


async def log_in(client: httpx.AsyncClient, provider: str = "test") -> httpx.Response:
    """The response of the callback to a whole login."""
    return await client.get(await to_callback(client, provider))


def with_query(url: str, **changes: str | None) -> str:
    """The URL with other parameters; None takes one away."""
    parts = urlsplit(url)
    values = {**dict(parse_qsl(parts.query)), **changes}
    return parts._replace(
        query=urlencode({name: value for name, value in values.items() if value is not None})
    ).geturl()


def fragment(response: httpx.Response) -> dict[str, str]:
    """What the page of the frontend is called with."""
    assert response.status_code == 303
    url = urlsplit(response.headers["Location"])
    assert url._replace(fragment="").geturl() == PAGE
    return {name: values[0] for name, values in parse_qs(url.fragment).items()}


def error_of(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]


async def link_to(uow: UnitOfWork, user: User, provider: OpenIDProvider) -> LinkedIdentity:
    """Link the person at the provider to a user."""
    identity = LinkedIdentity(
        user_id=user.id, provider="test", issuer=provider.issuer, subject=provider.claims["sub"], email=None
    )
    uow.session.add(identity)
    await uow.session.commit()
    return identity


@pytest.fixture
async def linked(people: Any, uow: UnitOfWork, provider: OpenIDProvider) -> User:
    """A user whose account the person at the provider is linked to."""
    user: User = await people.user()
    await link_to(uow, user, provider)
    return user


def direct(name: str, resources: Resources, **options: Any) -> OidcProvider:
    """The provider as the application knows it, with another clock, for instance."""
    known = OidcProvider(name, resources.settings.oidc, allows_http=False, **options)
    resources.oidc_providers[name] = known
    return known


def secret_text() -> str:
    return secrets.token_urlsafe(48)
