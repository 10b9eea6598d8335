"""The application with everything that people can do with their own account switched on."""

from collections.abc import AsyncIterator
from copy import copy
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from src.core.config import Settings, settings
from src.core.effects import TaskCall
from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.main import create_app, server
from tests.support.documented import documented_by
from tests.support.people import USER_AGENT

AUTH = {"devices_enabled": True, "act_as_enabled": True, "deletion_days": 14, "export_days": 7}
EMAIL = {
    "smtp_url": SecretStr("smtp://127.0.0.1:1"),  # nothing is sent: the tasks are looked at
    "sender": "Shop <noreply@example.com>",
    "link_url": "https://shop.example",
}


@pytest.fixture(scope="session")
def account_settings() -> Settings:
    changed = copy(settings)
    changed.auth = settings.auth.model_copy(update=AUTH)
    changed.email = settings.email.model_copy(update=EMAIL)
    return changed


@pytest.fixture(scope="session")
def account_app(account_settings: Settings) -> FastAPI:
    return create_app(account_settings, server)


@pytest.fixture
async def client(
    account_app: FastAPI,
    account_settings: Settings,
    uow: UnitOfWork,
    resources: Resources,
    sent: list[TaskCall],
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[httpx.AsyncClient]:
    """A client with an address of its own; what its requests send is in `sent`."""
    monkeypatch.setattr(resources, "settings", account_settings)
    transport = httpx.ASGITransport(account_app, client=(f"test-{uuid4().hex}", 1))
    async with httpx.AsyncClient(
        transport=transport,
        base_url="http://test",
        headers={"User-Agent": USER_AGENT},
        event_hooks={"response": [documented_by(account_app)]},
    ) as client:
        yield client
