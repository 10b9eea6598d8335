"""Those who must have a second factor may do nothing until they have one."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlmodel import select

from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.models.role import Role
from src.models.user import UserRole
from tests.security.factors.conftest import FACTORS, AddApp, data, outcome
from tests.support.api_keys import NOTICES, OWN, bearer, make_key
from tests.support.login import log_in
from tests.support.people import People, Person

ROLES = "/api/v1/roles"
DENIED = 403, "auth.permission_denied"


async def role_of(uow: UnitOfWork, person: Person) -> Role:
    held = select(Role).join(UserRole).where(UserRole.user_id == person.user.id)
    return (await uow.session.exec(held)).one()


async def require(client: httpx.AsyncClient, admin: Person, role: Role, required: bool = True) -> None:
    data(await client.put(f"{ROLES}/{role.id}", json={"requiresFactor": required}, headers=admin.headers))


async def notices(client: httpx.AsyncClient, person: Person) -> tuple[int, str | None]:
    return outcome(await client.get("/api/v1/notices", headers=person.headers))


async def explained(client: httpx.AsyncClient, admin: Person, person: Person, **more: str) -> tuple[bool, str]:
    params = {"userId": str(person.user.id), "method": "GET", "path": "/api/v1/notices", **more}
    answer = data(await client.get("/api/v1/permissions/explain", params=params, headers=admin.headers))
    return answer["granted"], answer["reason"]


@pytest.fixture
async def reader(people: People) -> Person:
    return await people.create(NOTICES, *OWN)


class TestByARole:
    async def test_counts_on_the_next_request(
        self, client: httpx.AsyncClient, uow: UnitOfWork, reader: Person, admin: Person, add_app: AddApp
    ) -> None:
        assert await notices(client, reader) == (200, None)
        await require(client, admin, await role_of(uow, reader))
        assert await notices(client, reader) == DENIED
        assert await explained(client, admin, reader) == (False, "The user has to add a second factor first.")
        await add_app(reader)
        assert await notices(client, reader) == (200, None)
        assert (await explained(client, admin, reader))[0]

    async def test_ends_with_the_requirement(
        self, client: httpx.AsyncClient, uow: UnitOfWork, reader: Person, admin: Person
    ) -> None:
        role = await role_of(uow, reader)
        await require(client, admin, role)
        assert await notices(client, reader) == DENIED
        await require(client, admin, role, required=False)
        assert await notices(client, reader) == (200, None)

    async def test_lets_them_log_in_and_see_why(
        self, client: httpx.AsyncClient, uow: UnitOfWork, reader: Person, admin: Person, add_app: AddApp
    ) -> None:
        await require(client, admin, await role_of(uow, reader))
        assert (await log_in(client, reader.user.username)).status_code == 200
        for expected in (True, False):
            info = data(await client.get("/api/v1/auth/user/info", headers=reader.headers))
            assert info["mustAddFactor"] is expected
            if expected:
                await add_app(reader)

    async def test_keeps_the_last_factor(
        self, client: httpx.AsyncClient, uow: UnitOfWork, reader: Person, admin: Person, add_app: AddApp
    ) -> None:
        await require(client, admin, await role_of(uow, reader))
        app = await add_app(reader)
        other = await add_app(reader)
        assert (await client.delete(f"{FACTORS}/{app.id}", headers=reader.headers)).status_code == 200
        response = await client.delete(f"{FACTORS}/{other.id}", headers=reader.headers)
        assert outcome(response) == (409, "factors.last_one")

    async def test_is_about_logins_alone(
        self, client: httpx.AsyncClient, uow: UnitOfWork, reader: Person, admin: Person
    ) -> None:
        key = await make_key(client, reader, NOTICES)
        await require(client, admin, await role_of(uow, reader))
        assert (await client.get("/api/v1/notices", headers=bearer(key["key"]))).status_code == 200
        assert (await explained(client, admin, reader, apiKeyId=key["id"]))[0]

    async def test_of_a_disabled_role_requires_nothing(
        self, client: httpx.AsyncClient, uow: UnitOfWork, people: People, admin: Person, reader: Person
    ) -> None:
        other = Role(name="Role", code=uuid4().hex, status=False, requires_factor=True)
        uow.session.add(other)
        await uow.session.flush()
        uow.session.add(UserRole(user_id=reader.user.id, role_id=other.id))
        await uow.session.commit()
        assert await notices(client, reader) == (200, None)

    async def test_is_changed_by_those_who_hold_what_the_role_grants(
        self, client: httpx.AsyncClient, uow: UnitOfWork, people: People, reader: Person
    ) -> None:
        editor = await people.create(f"PUT:{ROLES}/{{roleId}}")
        role = await role_of(uow, reader)
        body: dict[str, Any] = {"requiresFactor": True}
        response = await client.put(f"{ROLES}/{role.id}", json=body, headers=editor.headers)
        assert outcome(response) == (403, "auth.not_yours_to_grant")


class TestForAll:
    @pytest.fixture(autouse=True)
    def required(self, resources: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
        factors = resources.settings.factors.model_copy(update={"is_required": True})
        monkeypatch.setattr(resources.settings, "factors", factors)

    async def test_counts_for_everybody(
        self, client: httpx.AsyncClient, people: People, reader: Person, add_app: AddApp
    ) -> None:
        admin = await people.create(is_admin=True)
        for person in (reader, admin):
            assert await notices(client, person) == DENIED
            await add_app(person)
            assert await notices(client, person) == (200, None)
