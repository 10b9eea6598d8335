"""Refresh tokens: SECURITY rows 9 to 12 and 18."""

import asyncio

import httpx
import pytest
from sqlmodel import col, update

from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.crud.session import session_key
from src.models.user import User
from tests.security.conftest import Clock
from tests.support.people import USER_AGENT, People, Person
from tests.support.served import Served

REFRESH = "/api/v1/auth/token/refresh"
INFO = "/api/v1/auth/user/info"
DAY = 86_400


async def refresh(client: httpx.AsyncClient, token: str, agent: str = USER_AGENT) -> httpx.Response:
    return await client.post(REFRESH, headers={"X-Refresh-Token": token, "User-Agent": agent})


async def successor(client: httpx.AsyncClient, token: str) -> str:
    return str((await refresh(client, token)).json()["data"]["refreshToken"])


async def is_alive(client: httpx.AsyncClient, person: Person) -> bool:
    return (await client.get(INFO, headers=person.headers)).status_code == 200


class TestRefresh:
    async def test_it_returns_a_new_pair(self, client: httpx.AsyncClient, person: Person) -> None:
        pair = (await refresh(client, person.tokens.refresh_token)).json()["data"]
        assert pair["refreshToken"] != person.tokens.refresh_token

    async def test_the_new_access_token_is_accepted(self, client: httpx.AsyncClient, person: Person) -> None:
        pair = (await refresh(client, person.tokens.refresh_token)).json()["data"]
        response = await client.get(INFO, headers={"Authorization": f"Bearer {pair['accessToken']}"})
        assert response.status_code == 200

    async def test_it_can_be_repeated_with_each_successor(self, client: httpx.AsyncClient, person: Person) -> None:
        token = person.tokens.refresh_token
        for _ in range(5):
            token = await successor(client, token)
        assert (await refresh(client, token)).status_code == 200

    async def test_without_a_token_it_is_401(self, client: httpx.AsyncClient) -> None:
        assert (await client.post(REFRESH)).status_code == 401

    async def test_a_disabled_user_does_not_use_up_the_token(
        self, client: httpx.AsyncClient, people: People, uow: UnitOfWork
    ) -> None:
        person = await people.create()
        statuses = []
        for enabled in (False, True):
            await uow.session.exec(update(User).where(col(User.id) == person.user.id).values(status=enabled))
            await uow.session.commit()
            statuses.append((await refresh(client, person.tokens.refresh_token)).status_code)
        assert statuses == [401, 200]


class TestRow09SingleUse:
    async def test_20_concurrent_refreshes_have_one_successor(self, served: Served, served_admin: Person) -> None:
        token = served_admin.tokens.refresh_token
        for _ in range(10):
            responses = await asyncio.gather(*(refresh(served.client, token) for _ in range(20)))
            (token,) = {response.json()["data"]["refreshToken"] for response in responses}

    async def test_the_first_token_of_a_chain_is_refused_in_the_end(
        self, client: httpx.AsyncClient, person: Person
    ) -> None:
        token = person.tokens.refresh_token
        for _ in range(3):
            token = await successor(client, token)
        assert (await refresh(client, person.tokens.refresh_token)).status_code == 401


class TestRow10Reuse:
    async def test_it_ends_the_access_token(self, client: httpx.AsyncClient, person: Person, clock: Clock) -> None:
        await refresh(client, person.tokens.refresh_token)
        clock.advance(12)
        await refresh(client, person.tokens.refresh_token)
        assert not await is_alive(client, person)

    async def test_it_invalidates_the_successor(self, client: httpx.AsyncClient, person: Person, clock: Clock) -> None:
        rightful = await successor(client, person.tokens.refresh_token)
        clock.advance(12)
        await refresh(client, person.tokens.refresh_token)
        assert (await refresh(client, rightful)).status_code == 401

    async def test_the_users_other_sessions_stay_alive(
        self, client: httpx.AsyncClient, people: People, person: Person, clock: Clock
    ) -> None:
        other = await people.login(person.user)
        await refresh(client, person.tokens.refresh_token)
        clock.advance(12)
        await refresh(client, person.tokens.refresh_token)
        assert await is_alive(client, other)

    async def test_the_token_before_the_previous_one_is_reuse_even_within_the_grace(
        self, client: httpx.AsyncClient, person: Person
    ) -> None:
        latest = await successor(client, await successor(client, person.tokens.refresh_token))
        statuses = [(await refresh(client, token)).status_code for token in (person.tokens.refresh_token, latest)]
        assert (statuses, await is_alive(client, person)) == ([401, 401], False)


class TestRow11Grace:
    async def test_the_previous_token_gets_the_same_successor_again(
        self, client: httpx.AsyncClient, person: Person
    ) -> None:
        first = await successor(client, person.tokens.refresh_token)
        assert await successor(client, person.tokens.refresh_token) == first

    async def test_a_retry_does_not_invalidate_the_successor(self, client: httpx.AsyncClient, person: Person) -> None:
        first = await successor(client, person.tokens.refresh_token)
        await refresh(client, person.tokens.refresh_token)
        assert (await refresh(client, first)).status_code == 200

    @pytest.mark.parametrize(("seconds", "status"), [(9, 200), (11, 401)])
    async def test_it_is_ten_seconds(
        self, client: httpx.AsyncClient, person: Person, clock: Clock, seconds: int, status: int
    ) -> None:
        first = await successor(client, person.tokens.refresh_token)
        clock.advance(seconds)
        response = await refresh(client, person.tokens.refresh_token)
        assert (
            response.status_code,
            response.status_code == 200 and response.json()["data"]["refreshToken"] == first,
        ) == (
            status,
            status == 200,
        )

    async def test_a_retry_does_not_extend_it(self, client: httpx.AsyncClient, person: Person, clock: Clock) -> None:
        statuses = []
        for _ in range(4):
            statuses.append((await refresh(client, person.tokens.refresh_token)).status_code)
            clock.advance(4)
        assert statuses == [200, 200, 200, 401]


class TestRow12Caps:
    """A session ends after seven days without a refresh, and after thirty days in any case."""

    @pytest.mark.parametrize(("seconds", "status"), [(-10, 200), (0, 401)])
    async def test_an_idle_session_ends_after_a_week(
        self, client: httpx.AsyncClient, person: Person, clock: Clock, seconds: int, status: int
    ) -> None:
        clock.advance(7 * DAY + seconds)
        assert (await refresh(client, person.tokens.refresh_token)).status_code == status

    async def test_each_refresh_restarts_the_week(
        self, client: httpx.AsyncClient, person: Person, clock: Clock
    ) -> None:
        token = person.tokens.refresh_token
        for _ in range(4):
            clock.advance(6 * DAY)
            token = await successor(client, token)
        clock.advance(5 * DAY)
        assert (await refresh(client, token)).status_code == 200

    @pytest.mark.parametrize(("seconds", "status"), [(-10, 200), (0, 401)])
    async def test_no_session_lives_longer_than_thirty_days(
        self, client: httpx.AsyncClient, person: Person, clock: Clock, seconds: int, status: int
    ) -> None:
        token = person.tokens.refresh_token
        for _ in range(4):
            clock.advance(6 * DAY)
            token = await successor(client, token)
        clock.advance(6 * DAY + seconds)
        assert (await refresh(client, token)).status_code == status

    async def test_the_last_pair_expires_with_the_session(
        self, client: httpx.AsyncClient, person: Person, clock: Clock
    ) -> None:
        token = person.tokens.refresh_token
        for _ in range(4):
            clock.advance(6 * DAY)
            token = await successor(client, token)
        clock.advance(6 * DAY - 100)
        assert 90 < (await refresh(client, token)).json()["data"]["refreshExpiresIn"] <= 100

    async def test_redis_expires_it_with_its_access_tokens(
        self, client: httpx.AsyncClient, person: Person, clock: Clock, resources: Resources
    ) -> None:
        claims, token = resources.tokens.read_refresh(person.tokens.refresh_token), person.tokens.refresh_token
        for _ in range(4):
            clock.advance(6 * DAY)
            token = await successor(client, token)
        ends = await resources.redis.expiretime(session_key(claims.user_id, claims.session_id))
        assert ends == claims.session_started_at + 30 * DAY


class TestRow18UserAgent:
    async def test_another_one_is_401(self, client: httpx.AsyncClient, person: Person) -> None:
        assert (await refresh(client, person.tokens.refresh_token, "thief")).status_code == 401

    async def test_none_is_401(self, client: httpx.AsyncClient, person: Person) -> None:
        assert (await refresh(client, person.tokens.refresh_token, "")).status_code == 401

    async def test_the_owners_session_stays_alive(self, client: httpx.AsyncClient, person: Person) -> None:
        await refresh(client, person.tokens.refresh_token, "thief")
        assert (await refresh(client, person.tokens.refresh_token)).status_code == 200

    async def test_it_rotates_nothing(self, client: httpx.AsyncClient, person: Person, resources: Resources) -> None:
        claims = resources.tokens.read_refresh(person.tokens.refresh_token)
        before = await resources.redis.hgetall(session_key(claims.user_id, claims.session_id))
        await refresh(client, person.tokens.refresh_token, "thief")
        assert await resources.redis.hgetall(session_key(claims.user_id, claims.session_id)) == before

    async def test_a_used_token_with_another_one_ends_nothing(
        self, client: httpx.AsyncClient, person: Person, clock: Clock
    ) -> None:
        await refresh(client, person.tokens.refresh_token)
        clock.advance(12)
        await refresh(client, person.tokens.refresh_token, "thief")
        assert await is_alive(client, person)
