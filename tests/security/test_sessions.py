"""Login sessions and how they end: SECURITY rows 13, 14 and 17."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from redis.asyncio import Redis

from src.core.resources import Resources
from src.services.session import SessionService
from tests.support.login import log_in
from tests.support.people import USER_AGENT, People, Person

REFRESH = "/api/v1/auth/token/refresh"
INFO = "/api/v1/auth/user/info"
SESSIONS = "/api/v1/auth/sessions"


async def refresh(client: httpx.AsyncClient, token: str, agent: str = USER_AGENT) -> httpx.Response:
    return await client.post(REFRESH, headers={"X-Refresh-Token": token, "User-Agent": agent})


async def is_alive(client: httpx.AsyncClient, person: Person) -> bool:
    return (await client.get(INFO, headers=person.headers)).status_code == 200


class TestRow13Logout:
    async def test_the_access_token_is_invalid_immediately(self, client: httpx.AsyncClient, person: Person) -> None:
        await client.post("/api/v1/auth/logout", headers=person.headers)
        assert not await is_alive(client, person)

    async def test_the_refresh_token_is_invalid_too(self, client: httpx.AsyncClient, person: Person) -> None:
        await client.post("/api/v1/auth/logout", headers=person.headers)
        assert (await refresh(client, person.tokens.refresh_token)).status_code == 401

    async def test_guarded_routes_refuse_it_too(self, client: httpx.AsyncClient, admin: Person) -> None:
        await client.get("/api/v1/notices", headers=admin.headers)
        await client.post("/api/v1/auth/logout", headers=admin.headers)
        assert (await client.get("/api/v1/notices", headers=admin.headers)).status_code == 401

    async def test_another_session_stays_alive(self, client: httpx.AsyncClient, people: People, person: Person) -> None:
        other = await people.login(person.user)
        await client.post("/api/v1/auth/logout", headers=person.headers)
        assert await is_alive(client, other)


class TestRow14Everywhere:
    async def test_everywhere_ends_every_session(
        self, client: httpx.AsyncClient, people: People, person: Person
    ) -> None:
        sessions = [person, await people.login(person.user), await people.login(person.user)]
        await client.post("/api/v1/auth/logout/all", headers=person.headers)
        assert [await is_alive(client, session) for session in sessions] == [False] * 3

    async def test_an_empty_session_id_ends_no_session(
        self, client: httpx.AsyncClient, person: Person, resources: Resources
    ) -> None:
        ended = await SessionService(resources).end_one(person.user.id, "")
        assert (ended, await is_alive(client, person)) == (False, True)

    async def test_everywhere_does_not_affect_other_users(
        self, client: httpx.AsyncClient, people: People, person: Person
    ) -> None:
        other = await people.create()
        await client.post("/api/v1/auth/logout/all", headers=person.headers)
        assert await is_alive(client, other)


class TestRow14Sessions:
    async def listed(self, client: httpx.AsyncClient, person: Person) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = (await client.get(SESSIONS, headers=person.headers)).json()["data"]
        return rows

    async def test_they_are_the_callers_own(self, client: httpx.AsyncClient, people: People, person: Person) -> None:
        await people.create()
        await people.login(person.user)
        assert len(await self.listed(client, person)) == 2

    async def test_one_is_the_current(self, client: httpx.AsyncClient, people: People, person: Person) -> None:
        await people.login(person.user)
        assert sorted(row["current"] for row in await self.listed(client, person)) == [False, True]

    async def test_a_row_shows_no_token_and_no_hash(self, client: httpx.AsyncClient, person: Person) -> None:
        (row,) = await self.listed(client, person)
        fields = {
            "id",
            "createdAt",
            "expiresAt",
            "lastUsedAt",
            "deviceName",
            "deviceId",
            "actedBy",
            "userAgent",
            "address",
            "current",
        }
        assert row.keys() == fields

    async def test_times_are_utc(self, client: httpx.AsyncClient, person: Person) -> None:
        (row,) = await self.listed(client, person)
        assert row["createdAt"].endswith("Z")

    async def test_ending_one_invalidates_its_access_token(
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

    async def test_another_users_session_is_404(
        self, client: httpx.AsyncClient, people: People, person: Person
    ) -> None:
        (row,) = await self.listed(client, await people.create())
        assert (await client.delete(f"{SESSIONS}/{row['id']}", headers=person.headers)).status_code == 404

    async def test_another_users_session_stays_alive(
        self, client: httpx.AsyncClient, people: People, person: Person
    ) -> None:
        other = await people.create()
        (row,) = await self.listed(client, other)
        await client.delete(f"{SESSIONS}/{row['id']}", headers=person.headers)
        assert await is_alive(client, other)

    @pytest.mark.parametrize("name", ["*", "%2A", "%20", "a%00b", "..%2F", "{x}", "%ff"])
    async def test_an_unknown_id_ends_nothing(self, client: httpx.AsyncClient, person: Person, name: str) -> None:
        await client.delete(f"{SESSIONS}/{name}", headers=person.headers)
        assert await is_alive(client, person)


@pytest.mark.slow
class TestRow17HashedAtRest:
    async def everything(self, redis: Redis) -> str:
        """All keys and values of the database as one string."""
        read: dict[str, Callable[[str], Awaitable[Any]]] = {
            "hash": redis.hgetall,
            "set": redis.smembers,
            "zset": lambda key: redis.zrange(key, 0, -1),
            "string": redis.get,
            "list": lambda key: redis.lrange(key, 0, -1),
            "stream": redis.xrange,
            "none": redis.get,  # expired in the meantime
        }
        kept: list[object] = []
        async for key in redis.scan_iter(count=1000):
            kept += [key, await read[str(await redis.type(key))](key)]
        return repr(kept)

    async def test_no_token_is_found_by_a_scan(
        self, client: httpx.AsyncClient, resources: Resources, people: People
    ) -> None:
        first = (await log_in(client, (await people.user()).username)).json()["data"]
        second = (await refresh(client, first["refreshToken"])).json()["data"]
        kept = await self.everything(resources.redis)
        tokens = [pair[name] for pair in (first, second) for name in ("accessToken", "refreshToken")]
        assert [part for token in tokens for part in token.split(".")[1:] if part in kept] == []

    async def test_only_its_hash_is_stored(
        self, client: httpx.AsyncClient, resources: Resources, people: People
    ) -> None:
        pair = (await log_in(client, (await people.user()).username)).json()["data"]
        hashed = hashlib.sha256(pair["refreshToken"].encode()).hexdigest()
        assert hashed in await self.everything(resources.redis)


class TestRedis:
    async def test_a_refresh_session_has_its_documented_key(self, person: Person, resources: Resources) -> None:
        keys = [
            key async for key in resources.redis.scan_iter(match=f"auth:refresh:{{{person.user.id}}}:*", count=1000)
        ]
        assert len(keys) == 1

    async def test_everything_of_a_session_expires(self, person: Person, resources: Resources) -> None:
        keys = [key async for key in resources.redis.scan_iter(match=f"auth:*{person.user.id}*", count=1000)]
        assert all([await resources.redis.ttl(key) > 0 for key in keys])

    async def test_logging_out_deletes_all_keys_of_the_session(
        self, client: httpx.AsyncClient, person: Person, resources: Resources
    ) -> None:
        await refresh(client, person.tokens.refresh_token)
        await client.post("/api/v1/auth/logout", headers=person.headers)
        match = f"auth:*:{{{person.user.id}}}*"
        assert [key async for key in resources.redis.scan_iter(match=match, count=1000) if "epoch" not in key] == []
