import asyncio
import time
from typing import Any

import httpx
import pytest

from src.core.database import Resources
from tests.people import USER_AGENT, People, Person

REFRESH = "/api/v1/auth/token/refresh"
INFO = "/api/v1/auth/user/info"
SESSIONS = "/api/v1/auth/sessions"


@pytest.fixture
async def person(people: People) -> Person:
    return await people.create()


class Clock:
    """The application's time; that of Redis and of the signatures goes on as it does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._real, self._offset = time.time, 0.0
        monkeypatch.setattr(time, "time", lambda: self._real() + self._offset)

    def advance(self, seconds: float) -> None:
        self._offset += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


async def refresh(client: httpx.AsyncClient, token: str, agent: str = USER_AGENT) -> httpx.Response:
    return await client.post(REFRESH, headers={"X-Refresh-Token": token, "User-Agent": agent})


async def successor(client: httpx.AsyncClient, token: str) -> str:
    return str((await refresh(client, token)).json()["data"]["refreshToken"])


async def is_alive(client: httpx.AsyncClient, person: Person) -> bool:
    return (await client.get(INFO, headers=person.headers)).status_code == 200


class TestRefresh:
    async def test_it_gives_another_pair(self, client: httpx.AsyncClient, person: Person) -> None:
        pair = (await refresh(client, person.tokens.refresh_token)).json()["data"]
        assert pair["refreshToken"] != person.tokens.refresh_token

    async def test_the_new_access_token_serves(self, client: httpx.AsyncClient, person: Person) -> None:
        pair = (await refresh(client, person.tokens.refresh_token)).json()["data"]
        answer = await client.get(INFO, headers={"Authorization": f"Bearer {pair['accessToken']}"})
        assert answer.status_code == 200

    async def test_the_chain_goes_on(self, client: httpx.AsyncClient, person: Person) -> None:
        token = person.tokens.refresh_token
        for _ in range(5):
            token = await successor(client, token)
        assert (await refresh(client, token)).status_code == 200

    async def test_without_a_token_it_is_401(self, client: httpx.AsyncClient) -> None:
        assert (await client.post(REFRESH)).status_code == 401

    async def test_parallel_refreshes_have_one_successor(
        self, served_client: httpx.AsyncClient, served_admin: Person
    ) -> None:
        token = served_admin.tokens.refresh_token
        answers = await asyncio.gather(*(refresh(served_client, token) for _ in range(20)))
        assert len({answer.json()["data"]["refreshToken"] for answer in answers}) == 1


class TestGrace:
    async def test_the_predecessor_gets_the_same_successor_again(
        self, client: httpx.AsyncClient, person: Person
    ) -> None:
        first = await successor(client, person.tokens.refresh_token)
        assert await successor(client, person.tokens.refresh_token) == first

    async def test_a_retry_does_not_end_the_successor(self, client: httpx.AsyncClient, person: Person) -> None:
        first = await successor(client, person.tokens.refresh_token)
        await refresh(client, person.tokens.refresh_token)
        assert (await refresh(client, first)).status_code == 200

    async def test_it_ends(self, client: httpx.AsyncClient, person: Person, clock: Clock) -> None:
        await refresh(client, person.tokens.refresh_token)
        clock.advance(12)
        assert (await refresh(client, person.tokens.refresh_token)).status_code == 401

    async def test_the_grandparent_has_none(self, client: httpx.AsyncClient, person: Person) -> None:
        await successor(client, await successor(client, person.tokens.refresh_token))
        assert (await refresh(client, person.tokens.refresh_token)).status_code == 401


class TestReuse:
    async def test_it_ends_the_access_token(self, client: httpx.AsyncClient, person: Person, clock: Clock) -> None:
        await refresh(client, person.tokens.refresh_token)
        clock.advance(12)
        await refresh(client, person.tokens.refresh_token)
        assert not await is_alive(client, person)

    async def test_it_ends_the_rightful_successor(
        self, client: httpx.AsyncClient, person: Person, clock: Clock
    ) -> None:
        rightful = await successor(client, person.tokens.refresh_token)
        clock.advance(12)
        await refresh(client, person.tokens.refresh_token)
        assert (await refresh(client, rightful)).status_code == 401

    async def test_the_users_other_sessions_go_on(
        self, client: httpx.AsyncClient, people: People, person: Person, clock: Clock
    ) -> None:
        other = await people.login(person.user)
        await refresh(client, person.tokens.refresh_token)
        clock.advance(12)
        await refresh(client, person.tokens.refresh_token)
        assert await is_alive(client, other)


class TestUserAgent:
    async def test_another_one_is_401(self, client: httpx.AsyncClient, person: Person) -> None:
        assert (await refresh(client, person.tokens.refresh_token, "thief")).status_code == 401

    async def test_none_is_401(self, client: httpx.AsyncClient, person: Person) -> None:
        assert (await refresh(client, person.tokens.refresh_token, "")).status_code == 401

    async def test_the_owner_may_go_on_after_it(self, client: httpx.AsyncClient, person: Person) -> None:
        await refresh(client, person.tokens.refresh_token, "thief")
        assert (await refresh(client, person.tokens.refresh_token)).status_code == 200

    async def test_a_spent_token_of_another_one_ends_nothing(
        self, client: httpx.AsyncClient, person: Person, clock: Clock
    ) -> None:
        await refresh(client, person.tokens.refresh_token)
        clock.advance(12)
        await refresh(client, person.tokens.refresh_token, "thief")
        assert await is_alive(client, person)


class TestLifetime:
    """Signatures are dated by a clock that a test cannot move: so the login is moved into the past."""

    async def logged_in(self, people: People, clock: Clock, seconds_ago: int) -> Person:
        user = await people.user()
        clock.advance(-seconds_ago)
        person = await people.login(user)
        clock.advance(seconds_ago)
        return person

    @pytest.mark.parametrize(("seconds", "status"), [(-10, 200), (1, 401)])
    async def test_a_session_ends_when_it_was_idle_for_too_long(
        self, client: httpx.AsyncClient, people: People, clock: Clock, resources: Resources, seconds: int, status: int
    ) -> None:
        person = await self.logged_in(people, clock, resources.settings.auth.session_idle_seconds + seconds)
        assert (await refresh(client, person.tokens.refresh_token)).status_code == status

    @pytest.mark.parametrize(("seconds", "alive"), [(-10, True), (1, False)])
    async def test_an_access_token_expires(
        self,
        client: httpx.AsyncClient,
        people: People,
        clock: Clock,
        resources: Resources,
        seconds: int,
        *,
        alive: bool,
    ) -> None:
        person = await self.logged_in(people, clock, resources.settings.auth.access_seconds + seconds)
        assert await is_alive(client, person) == alive

    async def test_the_session_outlives_its_access_token(
        self, client: httpx.AsyncClient, people: People, clock: Clock, resources: Resources
    ) -> None:
        person = await self.logged_in(people, clock, resources.settings.auth.access_seconds + 1)
        assert (await refresh(client, person.tokens.refresh_token)).status_code == 200

    async def test_no_refresh_outlives_the_absolute_cap(
        self,
        client: httpx.AsyncClient,
        people: People,
        clock: Clock,
        resources: Resources,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        auth = resources.settings.auth
        capped = auth.model_copy(update={"session_absolute_seconds": auth.session_idle_seconds})
        monkeypatch.setattr(resources.settings, "auth", capped)
        person = await self.logged_in(people, clock, capped.session_absolute_seconds - 100)
        answer = await refresh(client, person.tokens.refresh_token)
        assert 90 < answer.json()["data"]["refreshExpiresIn"] <= 100


class TestLogout:
    async def test_the_access_token_stops_at_once(self, client: httpx.AsyncClient, person: Person) -> None:
        await client.post("/api/v1/auth/logout", headers=person.headers)
        assert not await is_alive(client, person)

    async def test_the_refresh_token_stops_too(self, client: httpx.AsyncClient, person: Person) -> None:
        await client.post("/api/v1/auth/logout", headers=person.headers)
        assert (await refresh(client, person.tokens.refresh_token)).status_code == 401

    async def test_a_guarded_route_stops_too(self, client: httpx.AsyncClient, admin: Person) -> None:
        await client.get("/api/v1/notices", headers=admin.headers)
        await client.post("/api/v1/auth/logout", headers=admin.headers)
        assert (await client.get("/api/v1/notices", headers=admin.headers)).status_code == 401

    async def test_another_session_goes_on(self, client: httpx.AsyncClient, people: People, person: Person) -> None:
        other = await people.login(person.user)
        await client.post("/api/v1/auth/logout", headers=person.headers)
        assert await is_alive(client, other)

    async def test_everywhere_ends_every_session(
        self, client: httpx.AsyncClient, people: People, person: Person
    ) -> None:
        sessions = [person, await people.login(person.user), await people.login(person.user)]
        await client.post("/api/v1/auth/logout/all", headers=person.headers)
        assert [await is_alive(client, session) for session in sessions] == [False] * 3

    async def test_everywhere_is_not_everybody(self, client: httpx.AsyncClient, people: People, person: Person) -> None:
        other = await people.create()
        await client.post("/api/v1/auth/logout/all", headers=person.headers)
        assert await is_alive(client, other)


class TestSessions:
    async def listed(self, client: httpx.AsyncClient, person: Person) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = (await client.get(SESSIONS, headers=person.headers)).json()["data"]
        return rows

    async def test_they_are_ones_own(self, client: httpx.AsyncClient, people: People, person: Person) -> None:
        await people.create()
        await people.login(person.user)
        assert len(await self.listed(client, person)) == 2

    async def test_one_is_the_current(self, client: httpx.AsyncClient, people: People, person: Person) -> None:
        await people.login(person.user)
        assert sorted(row["current"] for row in await self.listed(client, person)) == [False, True]

    async def test_a_row_shows_no_token_and_no_hash(self, client: httpx.AsyncClient, person: Person) -> None:
        (row,) = await self.listed(client, person)
        assert row.keys() == {"id", "createdAt", "expiresAt", "userAgent", "address", "current"}

    async def test_times_are_utc(self, client: httpx.AsyncClient, person: Person) -> None:
        (row,) = await self.listed(client, person)
        assert row["createdAt"].endswith("Z")

    async def test_ending_one_stops_its_access_token(
        self, client: httpx.AsyncClient, people: People, person: Person
    ) -> None:
        other = await people.login(person.user)
        (row,) = [row for row in await self.listed(client, person) if not row["current"]]
        await client.delete(f"{SESSIONS}/{row['id']}", headers=person.headers)
        assert not await is_alive(client, other)

    async def test_an_ended_one_is_not_listed(self, client: httpx.AsyncClient, people: People, person: Person) -> None:
        other = await people.login(person.user)
        await client.post("/api/v1/auth/logout", headers=other.headers)
        assert len(await self.listed(client, person)) == 1

    async def test_somebody_elses_is_404(self, client: httpx.AsyncClient, people: People, person: Person) -> None:
        (row,) = await self.listed(client, await people.create())
        assert (await client.delete(f"{SESSIONS}/{row['id']}", headers=person.headers)).status_code == 404

    async def test_somebody_elses_goes_on(self, client: httpx.AsyncClient, people: People, person: Person) -> None:
        other = await people.create()
        (row,) = await self.listed(client, other)
        await client.delete(f"{SESSIONS}/{row['id']}", headers=person.headers)
        assert await is_alive(client, other)

    @pytest.mark.parametrize("name", ["*", "%2A", "%20", "a%00b", "..%2F", "{x}", "%ff"])
    async def test_a_strange_name_ends_nothing(self, client: httpx.AsyncClient, person: Person, name: str) -> None:
        await client.delete(f"{SESSIONS}/{name}", headers=person.headers)
        assert await is_alive(client, person)


class TestRedis:
    async def test_no_token_is_kept(self, client: httpx.AsyncClient, person: Person, resources: Resources) -> None:
        token = await successor(client, person.tokens.refresh_token)
        kept: list[object] = []
        async for key in resources.redis.scan_iter(match="auth:*", count=1000):
            kind = await resources.redis.type(key)
            if kind == "hash":
                kept.extend((await resources.redis.hgetall(key)).values())
            elif kind == "string":
                kept.append(str(await resources.redis.get(key)))
        assert not {token, person.tokens.refresh_token, person.tokens.access_token} & set(kept)

    async def test_a_refresh_session_stands_under_its_documented_key(
        self, person: Person, resources: Resources
    ) -> None:
        keys = [
            key async for key in resources.redis.scan_iter(match=f"auth:refresh:{{{person.user.id}}}:*", count=1000)
        ]
        assert len(keys) == 1

    async def test_everything_of_a_session_expires(self, person: Person, resources: Resources) -> None:
        keys = [key async for key in resources.redis.scan_iter(match=f"auth:*{person.user.id}*", count=1000)]
        assert all([await resources.redis.ttl(key) > 0 for key in keys])

    async def test_logging_out_leaves_nothing_of_the_session(
        self, client: httpx.AsyncClient, person: Person, resources: Resources
    ) -> None:
        await refresh(client, person.tokens.refresh_token)
        await client.post("/api/v1/auth/logout", headers=person.headers)
        match = f"auth:*:{{{person.user.id}}}*"
        assert [key async for key in resources.redis.scan_iter(match=match, count=1000) if "epoch" not in key] == []
