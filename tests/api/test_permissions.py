from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import event
from sqlmodel import col, select, update

from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.crud.permission import PermissionCRUD
from src.models.role import Role
from src.models.user import User, UserRole
from src.services.permission import PermissionService
from tests.support.people import People, Person

CODE = "GET:/api/v1/notices"
PATH = "/api/v1/notices"


@pytest.fixture
async def reader(people: People) -> Person:
    """A user who may only read notices."""
    return await people.create(CODE)


@pytest.fixture
def permissions(resources: Resources) -> PermissionService:
    return PermissionService(resources)


async def status(client: httpx.AsyncClient, person: Person) -> int:
    return (await client.get(PATH, headers=person.headers)).status_code


async def change_role(uow: UnitOfWork, person: Person, **values: Any) -> None:
    mine = select(UserRole.role_id).where(UserRole.user_id == person.user.id)
    await uow.session.exec(update(Role).where(col(Role.id).in_(mine)).values(**values))
    await uow.session.commit()


class TestGrant:
    async def test_a_code_grants_only_its_method(self, client: httpx.AsyncClient, reader: Person) -> None:
        assert (await client.post(PATH, headers=reader.headers, json={})).status_code == 403

    async def test_a_code_grants_only_its_path_template(self, client: httpx.AsyncClient, reader: Person) -> None:
        assert (await client.get(f"{PATH}/{reader.user.id}", headers=reader.headers)).status_code == 403

    @pytest.mark.parametrize("code", ["GET:/api/v1/notice", "get:/api/v1/notices", "GET:/api/v1/*", "GET:", f"{CODE} "])
    async def test_a_similar_code_grants_nothing(self, client: httpx.AsyncClient, people: People, code: str) -> None:
        assert await status(client, await people.create(code)) == 403

    async def test_an_administrator_needs_no_role(self, client: httpx.AsyncClient, admin: Person) -> None:
        assert await status(client, admin) == 200

    async def test_the_codes_of_several_roles_add_up(
        self, client: httpx.AsyncClient, people: People, uow: UnitOfWork
    ) -> None:
        person = await people.create("GET:/api/v1/router/backend")
        role = Role(name="Second", code=f"second-{person.user.id}", interface_permissions=[CODE])
        uow.session.add(role)
        await uow.session.flush()
        uow.session.add(UserRole(user_id=person.user.id, role_id=role.id))
        await uow.session.commit()
        assert await status(client, person) == 200

    async def test_a_role_with_3000_codes_is_cached_completely(self, client: httpx.AsyncClient, people: People) -> None:
        person = await people.create(*(f"GET:/api/v1/other/{number}" for number in range(3000)), CODE)
        assert [await status(client, person) for _ in range(2)] == [200, 200]


class TestRow35Disabled:
    async def test_a_role_grants_nothing(self, client: httpx.AsyncClient, uow: UnitOfWork, reader: Person) -> None:
        await change_role(uow, reader, status=False)
        assert await status(client, reader) == 403

    @pytest.mark.parametrize("is_admin", [False, True])
    async def test_a_user_may_do_nothing(self, client: httpx.AsyncClient, people: People, *, is_admin: bool) -> None:
        assert await status(client, await people.create(CODE, status=False, is_admin=is_admin)) in {401, 403}

    async def test_a_user_cannot_use_session_routes_routes(self, client: httpx.AsyncClient, people: People) -> None:
        person = await people.create(status=False)
        assert (await client.get("/api/v1/auth/user/info", headers=person.headers)).status_code == 401


@asynccontextmanager
async def redis_commands(resources: Resources) -> AsyncIterator[list[str]]:
    """The names of the commands that this process sends to Redis meanwhile, except those that scripts run."""
    seen: list[str] = []
    own = await resources.redis.client_getname()
    async with resources.redis.monitor() as monitor:
        await resources.redis.echo("begin")  # opens the second connection, which the recorded commands use
        yield seen
        await resources.redis.echo("end")
        # Other tests may have started processes, which report to the same Redis.
        addresses = {client["addr"] for client in await resources.redis.client_list() if client["name"] == own}
        async for command in monitor.listen():
            name, *arguments = command["command"].split()
            if name.upper() == "ECHO" and arguments == ["begin"]:
                seen.clear()
            elif name.upper() == "ECHO":
                break
            elif f"{command['client_address']}:{command['client_port']}" in addresses:
                seen.append(name.upper())


@contextmanager
def sql_statements(resources: Resources) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(resources.engine.sync_engine, "before_cursor_execute", note)
    yield seen
    event.remove(resources.engine.sync_engine, "before_cursor_execute", note)


class TestWarm:
    async def check(self, permissions: PermissionService, person: Person) -> None:
        session_id = permissions.resources.tokens.read_access(person.tokens.access_token).session_id
        await permissions.require(person.user.id, session_id, CODE)

    async def test_a_check_is_one_round_trip(
        self, permissions: PermissionService, resources: Resources, reader: Person
    ) -> None:
        await self.check(permissions, reader)
        async with redis_commands(resources) as commands:
            await self.check(permissions, reader)
        assert commands == ["EVALSHA"]

    async def test_a_check_needs_no_sql(
        self, permissions: PermissionService, resources: Resources, reader: Person
    ) -> None:
        await self.check(permissions, reader)
        with sql_statements(resources) as statements:
            await self.check(permissions, reader)
        assert statements == []

    async def test_a_refused_request_needs_no_sql(
        self, client: httpx.AsyncClient, resources: Resources, reader: Person
    ) -> None:
        path = "/api/v1/router/backend"
        await client.get(path, headers=reader.headers)
        with sql_statements(resources) as statements:
            await client.get(path, headers=reader.headers)
        assert statements == []


class TestRow34Change:
    """A change of permissions takes effect when it is committed, and no stale codes stay cached."""

    async def test_a_permission_removed_from_a_role_is_refused_immediately(
        self, client: httpx.AsyncClient, uow: UnitOfWork, permissions: PermissionService, reader: Person
    ) -> None:
        assert await status(client, reader) == 200
        permissions.invalidate_all(uow)
        await change_role(uow, reader, interface_permissions=[])
        await uow.commit()
        assert await status(client, reader) == 403

    async def test_a_role_removed_from_a_user_is_refused_immediately(
        self, client: httpx.AsyncClient, uow: UnitOfWork, permissions: PermissionService, admin: Person
    ) -> None:
        assert await status(client, admin) == 200
        permissions.invalidate_user(uow, admin.user.id)
        await uow.session.exec(update(User).where(col(User.id) == admin.user.id).values(is_admin=False))
        await uow.commit()
        assert await status(client, admin) == 403

    async def test_codes_read_before_the_change_are_not_cached(
        self, client: httpx.AsyncClient, uow: UnitOfWork, permissions: PermissionService, reader: Person
    ) -> None:
        cache = PermissionCRUD(permissions.resources.redis)
        session_id = permissions.resources.tokens.read_access(reader.tokens.access_token).session_id
        stamp = await cache.check(reader.user.id, session_id, CODE)
        permissions.invalidate_user(uow, reader.user.id)
        await change_role(uow, reader, interface_permissions=[])
        await uow.commit()
        await cache.store(reader.user.id, str(stamp), [CODE], 60)
        assert await status(client, reader) == 403

    async def test_a_change_of_one_user_keeps_the_others_cached(
        self,
        client: httpx.AsyncClient,
        people: People,
        uow: UnitOfWork,
        permissions: PermissionService,
        reader: Person,
    ) -> None:
        await status(client, reader)
        permissions.invalidate_user(uow, (await people.create()).user.id)
        await uow.commit()
        async with redis_commands(permissions.resources) as commands:
            await status(client, reader)
        assert commands == ["EVALSHA"]

    async def test_a_flushed_redis_ends_the_session_and_grants_nothing(
        self, client: httpx.AsyncClient, resources: Resources, reader: Person
    ) -> None:
        await status(client, reader)
        keys = [key async for key in resources.redis.scan_iter(match=f"auth:*{{{reader.user.id}}}*", count=1000)]
        await resources.redis.delete(*keys, "auth:epoch")
        assert await status(client, reader) == 401

    async def test_lost_scripts_are_loaded_again(
        self, client: httpx.AsyncClient, resources: Resources, reader: Person
    ) -> None:
        await status(client, reader)
        await resources.redis.script_flush()
        assert await status(client, reader) == 200

    async def test_the_codes_have_their_documented_key(
        self, client: httpx.AsyncClient, resources: Resources, reader: Person
    ) -> None:
        await status(client, reader)
        assert await resources.redis.sismember(f"auth:permission:{{{reader.user.id}}}", CODE)

    async def test_the_codes_are_cached_for_at_most_fifteen_minutes(
        self, client: httpx.AsyncClient, resources: Resources, reader: Person
    ) -> None:
        await status(client, reader)
        assert 0 < await resources.redis.ttl(f"auth:permission:{{{reader.user.id}}}") <= 900
