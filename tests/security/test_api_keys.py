"""API keys: what they may do, and when they end."""

import random
import string
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlmodel import col, select, update

from src.core.resources import Resources
from src.core.security.api_key import PREFIX, KnownKeys, hash_key, new_key
from src.core.unit_of_work import UnitOfWork
from src.main import app
from src.models.api_key import ApiKey
from src.models.role import Role
from src.services.permission import PermissionService
from src.utils.date import utc_now
from tests.api.test_permissions import redis_commands, sql_statements
from tests.security.test_matrix import call
from tests.support.api_keys import (
    MANAGE,
    NOTICES,
    OWN,
    PATH,
    ROLES,
    SCHEDULES,
    bearer,
    make_key,
    make_schedule,
    status,
)
from tests.support.people import Person


async def give_roles(client: httpx.AsyncClient, admin: Person, person: Person, roles: list[str]) -> None:
    body = {"roles": roles}
    response = await client.put(f"/api/v1/users/{person.user.id}/roles", json=body, headers=admin.headers)
    assert response.status_code == 200, response.text


async def change_row(uow: UnitOfWork, resources: Resources, key: dict[str, Any], **values: Any) -> None:
    """Change a key as time does."""
    PermissionService(resources).invalidate_user(uow, UUID(key["userId"]))
    await uow.session.exec(update(ApiKey).where(col(ApiKey.id) == UUID(key["id"])).values(values))
    await uow.commit()


class TestAKey:
    async def test_may_do_what_it_holds_and_nothing_else(
        self, client: httpx.AsyncClient, owner: Person, key: dict[str, Any]
    ) -> None:
        assert await status(client, key["key"]) == 200
        answers = [
            await client.post("/api/v1/roles", json={}, headers=bearer(key["key"])),  # which the owner may
            await client.get("/api/v1/users", headers=bearer(key["key"])),
        ]
        assert [answer.status_code for answer in answers] == [403, 403]

    async def test_is_shown_once_and_stored_as_a_hash(
        self, client: httpx.AsyncClient, uow: UnitOfWork, owner: Person, key: dict[str, Any]
    ) -> None:
        (listed,) = (await client.get(PATH, headers=owner.headers)).json()["data"]["records"]
        row = (await uow.session.exec(select(ApiKey).where(ApiKey.id == UUID(key["id"])))).one()
        assert listed == {name: value for name, value in key.items() if name != "key"}
        assert key["key"].startswith(listed["start"])
        assert row.key_hash == hash_key(key["key"])
        assert key["key"] not in str(row.model_dump())

    async def test_costs_one_round_trip_and_no_sql(
        self, client: httpx.AsyncClient, resources: Resources, key: dict[str, Any]
    ) -> None:
        path = "/api/v1/users"  # refused, so that the route itself asks no store
        await client.get(path, headers=bearer(key["key"]))
        with sql_statements(resources) as statements:
            async with redis_commands(resources) as commands:
                await client.get(path, headers=bearer(key["key"]))
        assert (commands, statements) == (["EVALSHA"], [])

    async def test_outlives_a_redis_that_forgot_everything(
        self, client: httpx.AsyncClient, resources: Resources, owner: Person, key: dict[str, Any]
    ) -> None:
        await status(client, key["key"])
        keys = [name async for name in resources.redis.scan_iter(match=f"auth:*{{{owner.user.id}}}*", count=1000)]
        await resources.redis.delete(*keys, "auth:epoch")
        assert await status(client, key["key"]) == 200

    async def test_says_when_it_was_last_used_and_writes_that_rarely(
        self, client: httpx.AsyncClient, resources: Resources, owner: Person, key: dict[str, Any]
    ) -> None:
        assert key["lastUsedAt"] is None
        await status(client, key["key"])
        with sql_statements(resources) as statements:
            for _ in range(3):
                await status(client, key["key"])
        (listed,) = (await client.get(PATH, headers=owner.headers)).json()["data"]["records"]
        assert listed["lastUsedAt"] is not None
        assert listed["updateTime"] == key["updateTime"]
        assert [statement for statement in statements if "UPDATE" in statement] == []


class TestTheOwnersPermissions:
    async def test_limit_the_key_at_any_time(
        self, client: httpx.AsyncClient, uow: UnitOfWork, admin: Person, owner: Person, key: dict[str, Any]
    ) -> None:
        (held,) = (await client.get(f"/api/v1/users/{owner.user.id}", headers=admin.headers)).json()["data"]["roles"]
        answers = [await status(client, key["key"])]
        for roles in ([], [held]):
            await give_roles(client, admin, owner, roles)
            answers.append(await status(client, key["key"]))
        assert answers == [200, 403, 200]

    async def test_of_an_edited_role_limit_it_as_well(
        self, client: httpx.AsyncClient, uow: UnitOfWork, admin: Person, owner: Person, key: dict[str, Any]
    ) -> None:
        assert await status(client, key["key"]) == 200
        code = (await client.get(f"/api/v1/users/{owner.user.id}", headers=admin.headers)).json()["data"]["roles"][0]
        role = (await uow.session.exec(select(Role).where(Role.code == code))).one()
        body = {"interfacePermissions": [ROLES]}
        assert (await client.put(f"/api/v1/roles/{role.id}", json=body, headers=admin.headers)).status_code == 200
        assert await status(client, key["key"]) == 403

    async def test_cannot_be_exceeded_by_a_new_key(self, client: httpx.AsyncClient, owner: Person) -> None:
        body = {"name": "Too much", "codes": [NOTICES, "GET:/api/v1/users"]}
        response = await client.post(PATH, json=body, headers=owner.headers)
        assert (response.status_code, response.json()["error"]) == (403, "auth.not_yours_to_grant")
        assert response.json()["data"] == ["GET:/api/v1/users"]

    async def test_are_not_those_of_an_administrator_for_a_key(self, client: httpx.AsyncClient, admin: Person) -> None:
        key = (await make_key(client, admin, NOTICES, "GET:/api/v1/permissions/mine", MANAGE))["key"]
        mine = await client.get("/api/v1/permissions/mine", headers=bearer(key))
        assert mine.json()["data"] == [NOTICES, "GET:/api/v1/permissions/mine", MANAGE]
        assert (await client.get("/api/v1/users", headers=bearer(key))).status_code == 403

    async def test_start_no_task_by_a_key_that_lacks_them(self, client: httpx.AsyncClient, admin: Person) -> None:
        key = (await make_key(client, admin, SCHEDULES))["key"]
        refused = await make_schedule(client, key, "notices.announce", notice_id="x")
        assert (refused.status_code, refused.json()["error"]) == (403, "tasks.not_yours_to_start")
        assert (await make_schedule(client, key, "system.ping")).status_code == 201

    async def test_include_everybodys_rows_only_if_the_key_holds_that(
        self, client: httpx.AsyncClient, admin: Person, key: dict[str, Any]
    ) -> None:
        seen = []
        for codes in ((OWN[0],), (OWN[0], MANAGE)):
            made = await make_key(client, admin, *codes)
            response = await client.get(PATH, params={"sort": "-createTime"}, headers=bearer(made["key"]))
            seen.append(key["id"] in [row["id"] for row in response.json()["data"]["records"]])
        assert seen == [False, True]


class TestARefusedKey:
    @pytest.mark.parametrize("field", ["expires_at", "previous_expires_at"])
    async def test_has_expired(
        self,
        client: httpx.AsyncClient,
        uow: UnitOfWork,
        resources: Resources,
        owner: Person,
        key: dict[str, Any],
        field: str,
    ) -> None:
        if field == "previous_expires_at":
            await client.post(f"{PATH}/{key['id']}/rotate", json={}, headers=owner.headers)
        assert await status(client, key["key"]) == 200
        await change_row(uow, resources, key, **{field: utc_now()})
        assert await status(client, key["key"]) == 401

    async def test_is_forgotten_by_redis_when_it_expires(
        self, client: httpx.AsyncClient, resources: Resources, owner: Person
    ) -> None:
        expires = utc_now() + timedelta(seconds=30)
        key = (await make_key(client, owner, NOTICES, expiresAt=expires.isoformat()))["key"]
        assert await status(client, key) == 200
        cached = f"auth:permission:{{{owner.user.id}}}:{hash_key(key)}"
        assert 0 < await resources.redis.ttl(cached) <= 30
        assert await resources.redis.pexpiretime(cached) == int(expires.timestamp() * 1000)

    async def test_was_revoked(self, client: httpx.AsyncClient, owner: Person, key: dict[str, Any]) -> None:
        assert await status(client, key["key"]) == 200
        assert (await client.delete(f"{PATH}/{key['id']}", headers=owner.headers)).status_code == 200
        assert [await status(client, key["key"]) for _ in range(2)] == [401, 401]

    async def test_belongs_to_a_disabled_user(
        self, client: httpx.AsyncClient, admin: Person, owner: Person, key: dict[str, Any]
    ) -> None:
        answers = [await status(client, key["key"])]
        for enabled in (False, True):
            path = f"/api/v1/users/{owner.user.id}/status"
            await client.put(path, json={"status": enabled}, headers=admin.headers)
            answers.append(await status(client, key["key"]))
        assert answers == [200, 401, 200]

    async def test_belongs_to_a_deleted_user(
        self, client: httpx.AsyncClient, admin: Person, owner: Person, key: dict[str, Any]
    ) -> None:
        assert await status(client, key["key"]) == 200
        assert (await client.delete(f"/api/v1/users/{owner.user.id}", headers=admin.headers)).status_code == 200
        assert await status(client, key["key"]) == 401

    async def test_comes_from_another_address(self, client: httpx.AsyncClient, owner: Person) -> None:
        key = (await make_key(client, owner, NOTICES, addresses=["192.0.2.0/24", "2001:db8::1"]))["key"]
        statuses = []
        for address in ("127.0.0.1", "192.0.3.1", "192.0.2.1", "2001:db8::1"):
            transport = httpx.ASGITransport(app, client=(address, 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as other:
                statuses.append(await status(other, key))
        assert statuses == [401, 401, 200, 200]

    async def test_may_not_be_used_where_keys_are_switched_off(
        self, client: httpx.AsyncClient, resources: Resources, key: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        without_keys = resources.settings.auth.model_copy(update={"api_keys_enabled": False})
        monkeypatch.setattr(resources.settings, "auth", without_keys)
        assert await status(client, key["key"]) == 401

    async def test_is_any_other_than_the_right_one(
        self, client: httpx.AsyncClient, owner: Person, key: dict[str, Any]
    ) -> None:
        secret, choice = key["key"], random.Random(22)  # noqa: S311 - mutations, not secrets
        rotated = await client.post(f"{PATH}/{key['id']}/rotate", json={"overlapSeconds": 0}, headers=owner.headers)
        right = rotated.json()["data"]["key"]
        others = {secret, new_key(), key["start"], PREFIX, hash_key(right), right.upper(), f"{right} {right}"}
        while len(others) < 500:
            place = choice.randrange(len(right))
            character = choice.choice(string.printable.strip())
            others.add(
                choice.choice(
                    [
                        right[:place] + character + right[place + 1 :],
                        right[:place] + right[place + 1 :],
                        right[:place] + character + right[place:],
                        right[:place] + right[place:].swapcase(),
                        right[:place] + secret[place:],
                        PREFIX + "".join(choice.choices("0123456789abcdef", k=64)),
                    ]
                )
            )
        address = uuid4().hex
        for other in others - {right}:
            answer, _ = await call("GET", "/api/v1/notices", bearer(other), address)
            assert answer == 401, other
        assert await status(client, right) == 200

    async def test_of_strangers_costs_a_query_only_so_often(
        self, client: httpx.AsyncClient, resources: Resources, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("src.deps.api_key_claims.UNKNOWN_PER_MINUTE", 3)
        address = uuid4().hex
        transport = httpx.ASGITransport(app, client=(address, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as stranger:
            assert [await status(stranger, new_key()) for _ in range(4)] == [401, 401, 401, 429]
            assert await status(stranger, f"{PREFIX}nonsense") == 401

    async def test_of_strangers_does_not_count_keys_that_exist(
        self, client: httpx.AsyncClient, resources: Resources, key: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("src.deps.api_key_claims.UNKNOWN_PER_MINUTE", 1)
        monkeypatch.setattr(resources, "known_keys", KnownKeys(seconds=0))
        transport = httpx.ASGITransport(app, client=(uuid4().hex, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as office:
            assert [await status(office, key["key"]) for _ in range(3)] == [200, 200, 200]
            assert [await status(office, new_key()) for _ in range(2)] == [401, 429]
