import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from src.core.resources import Resources
from src.core.security.token import TokenIssuer
from src.main import app
from tests.support.api_keys import NOTICES, OWN, ROLES, SCHEDULES, make_key
from tests.support.people import People, Person


class Clock:
    """The clock of tokens and sessions, which tests can advance; Redis has its own."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self._ahead

    def advance(self, seconds: float) -> None:
        self._ahead += seconds


@pytest.fixture
def clock(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(resources, "tokens", TokenIssuer(resources.settings.auth, clock))
    return clock


@pytest.fixture
async def person(people: People) -> Person:
    """A logged-in user without permissions."""
    return await people.create()


@pytest.fixture
async def own_client(people: People) -> AsyncIterator[httpx.AsyncClient]:
    """A client with its own address, because failures per address are counted beyond the test."""
    address = f"test-{uuid4().hex}"
    transport = httpx.ASGITransport(app, client=(address, 1))
    headers = {"x-test-address": address}
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
        yield client


@pytest.fixture
async def owner(people: People) -> Person:
    """A user who may read notices, create roles and schedules, and have API keys."""
    return await people.create(NOTICES, ROLES, SCHEDULES, "GET:/api/v1/permissions/mine", *OWN)


@pytest.fixture
async def key(client: httpx.AsyncClient, owner: Person) -> dict[str, Any]:
    """An API key of the owner, which may read notices."""
    return await make_key(client, owner, NOTICES)
