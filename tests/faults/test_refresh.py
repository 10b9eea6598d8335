"""A refresh that was answered 503 logs nobody out, however long the client waits before it repeats it."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.crud.session import RefreshToken, Rotation, SessionCRUD, digest, session_key
from tests.faults.read_only import read_only_postgres
from tests.support.people import People, Person
from tests.support.served import IMPATIENT, Served, serve

pytestmark = pytest.mark.process

GRACE_SECONDS = 1
LATER = GRACE_SECONDS + 1.5  # the clock of tokens counts whole seconds


@pytest.fixture(scope="module")
async def served_process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    output = tmp_path_factory.mktemp("refresh") / "output"
    async with serve(output, **IMPATIENT, REFRESH_GRACE_SECONDS=str(GRACE_SECONDS)) as served:
        yield served


async def refresh(served: Served, person: Person, token: str | None = None) -> httpx.Response:
    headers = {"X-Refresh-Token": token or person.tokens.refresh_token, "User-Agent": person.headers["User-Agent"]}
    return await served.client.post("/api/v1/auth/token/refresh", headers=headers)


async def assert_not_logged_out(served: Served, person: Person, token: str | None = None) -> None:
    await asyncio.sleep(LATER)
    again = await refresh(served, person, token)
    assert again.status_code == 200, again.text
    alive = await served.client.get(
        "/api/v1/auth/user/info", headers={"Authorization": f"Bearer {again.json()['data']['accessToken']}"}
    )
    assert alive.status_code == 200


class TestRow65ARefreshThatWas503:
    async def test_as_redis_stalled(self, served: Served, served_admin: Person) -> None:
        first = await refresh(served, served_admin)  # opens the connections, and loads the script
        token = first.json()["data"]["refreshToken"]
        served.stores["redis"].hang()
        assert (await refresh(served, served_admin, token)).status_code == 503
        await served.stores["redis"].heal()
        await assert_not_logged_out(served, served_admin, token)

    async def test_as_the_reply_of_redis_was_lost(self, served: Served, served_admin: Person) -> None:
        served.stores["redis"].lose_replies(b"EVALSHA")
        assert (await refresh(served, served_admin)).status_code == 503
        served.stores["redis"].refuse()
        await served.stores["redis"].heal()
        await assert_not_logged_out(served, served_admin)

    async def test_as_postgresql_is_read_only(self, served: Served, served_admin: Person, resources: Resources) -> None:
        async with read_only_postgres(served, resources):
            assert (await refresh(served, served_admin)).status_code == 503
        await assert_not_logged_out(served, served_admin)

    async def test_can_be_repeated_during_the_whole_outage(
        self, served: Served, served_admin: Person, resources: Resources
    ) -> None:
        async with read_only_postgres(served, resources):
            for _ in range(2):
                assert (await refresh(served, served_admin)).status_code == 503
                await asyncio.sleep(LATER)
        await assert_not_logged_out(served, served_admin)


class TestRow65ARefreshThatSucceeded:
    async def test_is_reuse_after_the_grace(self, served: Served, served_admin: Person) -> None:
        first = await refresh(served, served_admin)
        await asyncio.sleep(LATER)
        assert (first.status_code, (await refresh(served, served_admin)).status_code) == (200, 401)

    async def test_after_an_outage_is_reuse_as_well(self, served: Served, served_admin: Person) -> None:
        served.stores["redis"].lose_replies(b"EVALSHA")
        await refresh(served, served_admin)
        served.stores["redis"].refuse()
        await served.stores["redis"].heal()
        assert (await refresh(served, served_admin)).status_code == 200
        await asyncio.sleep(LATER)
        assert (await refresh(served, served_admin)).status_code == 401


class TestRow65AScriptThatRunsLate:
    async def test_changes_nothing(self, resources: Resources, uow: UnitOfWork, people: People) -> None:
        person = await people.create()
        claims = resources.tokens.read_refresh(person.tokens.refresh_token)
        presented = RefreshToken(claims.jti, digest(person.tokens.refresh_token), claims.issued_at, claims.expires_at)
        key = session_key(claims.user_id, claims.session_id)
        before = await resources.redis.hgetall(key)
        outcome = await SessionCRUD(resources.redis).rotate(
            claims.user_id,
            claims.session_id,
            presented,
            presented,
            user_agent=person.headers["User-Agent"],
            now=resources.tokens.now(),
            grace_seconds=10,
            timeout_seconds=-1,
        )
        assert outcome == (Rotation.LATE, None)
        assert await resources.redis.hgetall(key) == before
