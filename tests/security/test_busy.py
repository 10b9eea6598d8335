"""Logins cost much, and stall nobody but themselves: SECURITY row 27."""

import asyncio
import threading
from collections.abc import AsyncIterator

import httpx
import pytest

from src.core.resources import Resources
from src.core.security.hashing import HashPool
from tests.support.login import log_in
from tests.support.people import People, Person


@pytest.fixture
async def busy(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[threading.Event]:
    """Every thread of the pool at work and its queue full, until the event is set."""
    release, pool = threading.Event(), HashPool(2, 62)
    monkeypatch.setattr(resources, "hashing", pool)
    works = [asyncio.create_task(pool.run(release.wait)) for _ in range(64)]
    await asyncio.sleep(0)  # they are handed to the pool in the order of their making
    yield release
    release.set()
    await asyncio.gather(*works)
    pool.close()


class TestRow27BusyPool:
    async def test_one_more_login_is_503(
        self, client: httpx.AsyncClient, people: People, busy: threading.Event
    ) -> None:
        answer = await asyncio.wait_for(log_in(client, (await people.user()).username), 10)
        assert (answer.status_code, answer.json()["error"], answer.headers["Retry-After"]) == (503, "auth.busy", "1")

    async def test_everybody_else_is_served(
        self, client: httpx.AsyncClient, admin: Person, busy: threading.Event
    ) -> None:
        paths = ["/api/v1/notices", "/api/v1/auth/user/info", "/api/v1/auth/keys/public"]
        assert [(await client.get(path, headers=admin.headers)).status_code for path in paths] == [200] * 3
