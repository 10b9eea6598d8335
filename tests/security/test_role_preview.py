"""A change of a role can be tried: who would gain and lose what, with nothing changed."""

from typing import Any

import httpx
import pytest

from src.core.unit_of_work import UnitOfWork
from src.models.user import UserRole
from tests.security.test_administration import NOTICES, create_role, give, notices
from tests.support.people import People, Person

OTHER = "POST:/api/v1/notices"


@pytest.fixture
async def role(client: httpx.AsyncClient, admin: Person) -> dict[str, Any]:
    return await create_role(client, admin, NOTICES, buttonPermissions=["old"])


async def preview(client: httpx.AsyncClient, admin: Person, role: dict[str, Any], **change: Any) -> Any:
    response = await client.post(f"/api/v1/roles/{role['id']}/preview", json=change, headers=admin.headers)
    assert response.status_code == 200, response.text
    return response.json()["data"]


def change(person: Person, *codes: str) -> dict[str, Any]:
    return {"userId": str(person.user.id), "username": person.user.username, "codes": list(codes)}


class TestPreview:
    async def test_shows_what_a_holder_gains_and_loses_and_changes_nothing(
        self, client: httpx.AsyncClient, people: People, admin: Person, role: dict[str, Any]
    ) -> None:
        person = await people.create()
        await give(client, admin, person, role["code"])
        seen = await preview(client, admin, role, interfacePermissions=[OTHER], buttonPermissions=["new"])
        assert seen == {
            "gains": [change(person, OTHER, "button:new")],
            "loses": [change(person, NOTICES, "button:old")],
            "holders": 1,
        }
        assert await notices(client, person) == 200

    async def test_leaves_out_what_other_roles_grant(
        self, client: httpx.AsyncClient, people: People, admin: Person, role: dict[str, Any]
    ) -> None:
        person = await people.create()
        other = await create_role(client, admin, NOTICES)
        await give(client, admin, person, role["code"], other["code"])
        seen = await preview(client, admin, role, interfacePermissions=[], buttonPermissions=[])
        assert seen["loses"] == [change(person, "button:old")]

    async def test_of_a_role_that_is_disabled_and_enabled_again(
        self, client: httpx.AsyncClient, people: People, admin: Person, role: dict[str, Any]
    ) -> None:
        person = await people.create()
        await give(client, admin, person, role["code"])
        disabled = await preview(client, admin, role, status=False)
        await client.put(f"/api/v1/roles/{role['id']}", json={"status": False}, headers=admin.headers)
        enabled = await preview(client, admin, role, status=True, interfacePermissions=[OTHER])
        assert disabled["loses"] == [change(person, NOTICES, "button:old")]
        assert (enabled["gains"], enabled["loses"]) == ([change(person, OTHER, "button:old")], [])

    async def test_nobody_gains_who_is_disabled_or_an_administrator(
        self, client: httpx.AsyncClient, people: People, admin: Person, role: dict[str, Any], uow: UnitOfWork
    ) -> None:
        for user in (await people.user(status=False), await people.user(is_admin=True)):
            uow.session.add(UserRole(user_id=user.id, role_id=role["id"]))
        await uow.session.commit()
        seen = await preview(client, admin, role, interfacePermissions=[OTHER])
        assert seen == {"gains": [], "loses": [], "holders": 2}

    @pytest.mark.parametrize("body", [{"code": "other"}, {"interfacePermissions": ["GET:/nowhere"]}])
    async def test_what_could_not_be_saved_is_refused(
        self, client: httpx.AsyncClient, admin: Person, role: dict[str, Any], body: dict[str, Any]
    ) -> None:
        response = await client.post(f"/api/v1/roles/{role['id']}/preview", json=body, headers=admin.headers)
        assert response.status_code == 422
