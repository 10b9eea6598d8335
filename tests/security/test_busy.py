"""Logins are expensive, but do not delay other requests: SECURITY row 27."""

import asyncio
import threading
from collections.abc import AsyncIterator

import httpx
import pytest

from src.core.resources import Resources
from src.core.security.hashing import HashPool
from tests.support.login import log_in
from tests.support.people import People, Person
from tests.support.waiting import PATIENCE_SECONDS


@pytest.fixture
async def busy(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[threading.Event]:
    """All threads of the pool are busy and its queue is full until the event is set."""
    release, pool = threading.Event(), HashPool(2, 62)
    monkeypatch.setattr(resources, "hashing", pool)
    works = [asyncio.create_task(pool.run(release.wait)) for _ in range(64)]
    await asyncio.sleep(0)  # let them be submitted, in order
    yield release
    release.set()
    await asyncio.gather(*works)
    pool.close()


class TestRow27BusyPool:
    async def test_one_more_login_is_503(
        self, client: httpx.AsyncClient, people: People, busy: threading.Event
    ) -> None:
        response = await asyncio.wait_for(log_in(client, (await people.user()).username), PATIENCE_SECONDS)
        assert (response.status_code, response.json()["error"], response.headers["Retry-After"]) == (
            503,
            "auth.busy",
            "1",
        )

    async def test_other_requests_are_served(
        self, client: httpx.AsyncClient, admin: Person, busy: threading.Event
    ) -> None:
        paths = ["/api/v1/notices", "/api/v1/auth/user/info", "/api/v1/auth/keys/public"]
        assert [(await client.get(path, headers=admin.headers)).status_code for path in paths] == [200] * 3
