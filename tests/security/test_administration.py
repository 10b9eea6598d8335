"""Administration of users and roles: SECURITY rows 15 and 33 to 39."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.login import encrypted
from tests.support.people import People, Person

ROLES = ("GET:/api/v1/roles", "POST:/api/v1/roles", "PUT:/api/v1/roles/{roleId}", "DELETE:/api/v1/roles/{roleId}")
USERS = (
    "GET:/api/v1/users",
    "POST:/api/v1/users",
    "PATCH:/api/v1/users/{userId}",
    "DELETE:/api/v1/users/{userId}",
    "PUT:/api/v1/users/{userId}/roles",
    "PUT:/api/v1/users/{userId}/status",
    "PUT:/api/v1/users/{userId}/password",
)
NOTICES = "GET:/api/v1/notices"


def role(*codes: str, **fields: Any) -> dict[str, Any]:
    return {"name": "Role", "code": uuid4().hex, "interfacePermissions": list(codes), **fields}


async def create_role(client: httpx.AsyncClient, person: Person, *codes: str, **fields: Any) -> dict[str, Any]:
    response = await client.post("/api/v1/roles", json=role(*codes, **fields), headers=person.headers)
    assert response.status_code == 201, response.text
    data: dict[str, Any] = response.json()["data"]
    return data


async def give(client: httpx.AsyncClient, admin: Person, person: Person, *codes: str) -> httpx.Response:
    body = {"roles": list(codes)}
    return await client.put(f"/api/v1/users/{person.user.id}/roles", json=body, headers=admin.headers)


async def notices(client: httpx.AsyncClient, person: Person) -> int:
    return (await client.get("/api/v1/notices", headers=person.headers)).status_code


class TestRow15Disabling:
    async def test_ends_the_session_on_the_next_request(
        self, client: httpx.AsyncClient, people: People, admin: Person
    ) -> None:
        person = await people.create(NOTICES)
        await client.put(f"/api/v1/users/{person.user.id}/status", json={"status": False}, headers=admin.headers)
        assert await notices(client, person) == 401

    async def test_invalidates_the_refresh_token(
        self, client: httpx.AsyncClient, people: People, admin: Person
    ) -> None:
        person = await people.create()
        await client.put(f"/api/v1/users/{person.user.id}/status", json={"status": False}, headers=admin.headers)
        headers = {**person.headers, "X-Refresh-Token": person.tokens.refresh_token}
        assert (await client.post("/api/v1/auth/token/refresh", headers=headers)).status_code == 401


class TestRow34ChangesTakeEffectOnTheNextRequest:
    async def test_of_a_role_added(self, client: httpx.AsyncClient, people: People, admin: Person) -> None:
        person = await people.create()
        before = await notices(client, person)
        await give(client, admin, person, (await create_role(client, admin, NOTICES))["code"])
        assert (before, await notices(client, person)) == (403, 200)

    async def test_of_a_role_removed(self, client: httpx.AsyncClient, people: People, admin: Person) -> None:
        person = await people.create(NOTICES)
        before = await notices(client, person)
        await give(client, admin, person)
        assert (before, await notices(client, person)) == (200, 403)

    async def test_of_a_permission_removed_from_a_role(
        self, client: httpx.AsyncClient, people: People, admin: Person
    ) -> None:
        person, made = await people.create(), await create_role(client, admin, NOTICES)
        await give(client, admin, person, made["code"])
        before = await notices(client, person)
        body: dict[str, list[str]] = {"interfacePermissions": []}
        await client.put(f"/api/v1/roles/{made['id']}", json=body, headers=admin.headers)
        assert (before, await notices(client, person)) == (200, 403)

    async def test_of_a_role_deleted(self, client: httpx.AsyncClient, people: People, admin: Person) -> None:
        person, made = await people.create(), await create_role(client, admin, NOTICES)
        await give(client, admin, person, made["code"])
        before = await notices(client, person)
        await client.delete(f"/api/v1/roles/{made['id']}", headers=admin.headers)
        assert (before, await notices(client, person)) == (200, 403)

    async def test_of_an_administrator_promoted_and_demoted(
        self, client: httpx.AsyncClient, people: People, admin: Person
    ) -> None:
        person, seen = await people.create(), []
        for is_admin in (True, False):
            body = {"isAdmin": is_admin}
            await client.patch(f"/api/v1/users/{person.user.id}", json=body, headers=admin.headers)
            seen.append(await notices(client, person))
        assert seen == [200, 403]

    async def test_of_a_user_deleted(self, client: httpx.AsyncClient, people: People, admin: Person) -> None:
        person = await people.create(NOTICES)
        await client.delete(f"/api/v1/users/{person.user.id}", headers=admin.headers)
        assert await notices(client, person) == 401


class TestRow35ADisabledRole:
    async def test_grants_nothing(self, client: httpx.AsyncClient, people: People, admin: Person) -> None:
        person, made, seen = await people.create(), await create_role(client, admin, NOTICES), []
        await give(client, admin, person, made["code"])
        for status in (True, False, True):
            await client.put(f"/api/v1/roles/{made['id']}", json={"status": status}, headers=admin.headers)
            seen.append(await notices(client, person))
        assert seen == [200, 403, 200]


class TestRow36NobodyGrantsWhatTheyDoNotHold:
    async def test_in_a_new_role(self, client: httpx.AsyncClient, people: People) -> None:
        editor = await people.create(*ROLES)
        response = await client.post("/api/v1/roles", json=role(NOTICES), headers=editor.headers)
        assert (response.status_code, response.json()["data"]) == (403, [NOTICES])

    async def test_by_editing_ones_own_role(self, client: httpx.AsyncClient, people: People, admin: Person) -> None:
        editor, made = await people.create(), await create_role(client, admin, *ROLES)
        await give(client, admin, editor, made["code"])
        body = {"interfacePermissions": [*ROLES, NOTICES]}
        response = await client.put(f"/api/v1/roles/{made['id']}", json=body, headers=editor.headers)
        assert response.status_code == 403

    async def test_by_enabling_a_role(self, client: httpx.AsyncClient, people: People, admin: Person) -> None:
        editor, made = await people.create(*ROLES), await create_role(client, admin, NOTICES, status=False)
        response = await client.put(f"/api/v1/roles/{made['id']}", json={"status": True}, headers=editor.headers)
        assert response.status_code == 403

    async def test_codes_that_a_role_already_grants_may_stay(
        self, client: httpx.AsyncClient, people: People, admin: Person
    ) -> None:
        editor, made = await people.create(*ROLES), await create_role(client, admin, NOTICES)
        body = {"name": "Renamed", "interfacePermissions": [NOTICES]}
        response = await client.put(f"/api/v1/roles/{made['id']}", json=body, headers=editor.headers)
        assert response.status_code == 200

    async def test_by_assigning_a_role(self, client: httpx.AsyncClient, people: People, admin: Person) -> None:
        editor, made = await people.create(*USERS), await create_role(client, admin, NOTICES)
        assert (await give(client, editor, editor, made["code"])).status_code == 403

    async def test_by_creating_a_user_with_a_role(
        self, client: httpx.AsyncClient, people: People, admin: Person
    ) -> None:
        editor, made = await people.create(*USERS), await create_role(client, admin, NOTICES)
        response = await create_user(client, editor, roles=[made["code"]])
        assert response.status_code == 403

    async def test_by_creating_an_administrator(self, client: httpx.AsyncClient, people: People) -> None:
        response = await create_user(client, await people.create(*USERS), isAdmin=True)
        assert response.status_code == 403

    async def test_by_becoming_an_administrator(self, client: httpx.AsyncClient, people: People) -> None:
        editor = await people.create(*USERS)
        response = await client.patch(f"/api/v1/users/{editor.user.id}", json={"isAdmin": True}, headers=editor.headers)
        assert response.status_code == 403

    @pytest.mark.parametrize("is_admin", [True, False], ids=["administrator", "holder of more"])
    async def test_by_setting_the_password_of_a_user_with_more_permissions(
        self, client: httpx.AsyncClient, people: People, is_admin: bool
    ) -> None:
        editor, victim = await people.create(*USERS), await people.create(NOTICES, is_admin=is_admin)
        body = await encrypted(client, "a new and long enough one")
        response = await client.put(f"/api/v1/users/{victim.user.id}/password", json=body, headers=editor.headers)
        assert response.status_code == 403


class TestTheLastAdministrator:
    @pytest.fixture
    async def alone(self, people: People) -> Person:
        from sqlmodel import col, update

        from src.models.user import User

        await people.uow.session.exec(update(User).values(is_admin=False).where(col(User.is_admin)))
        return await people.create(is_admin=True)

    async def test_cannot_be_disabled(self, client: httpx.AsyncClient, alone: Person) -> None:
        path = f"/api/v1/users/{alone.user.id}/status"
        response = await client.put(path, json={"status": False}, headers=alone.headers)
        assert response.json()["error"] == "user.last_admin"

    async def test_cannot_be_demoted(self, client: httpx.AsyncClient, alone: Person) -> None:
        response = await client.patch(f"/api/v1/users/{alone.user.id}", json={"isAdmin": False}, headers=alone.headers)
        assert response.json()["error"] == "user.last_admin"

    async def test_cannot_be_deleted(self, client: httpx.AsyncClient, alone: Person) -> None:
        response = await client.delete(f"/api/v1/users/{alone.user.id}", headers=alone.headers)
        assert response.json()["error"] == "user.last_admin"


async def create_user(client: httpx.AsyncClient, person: Person, **fields: Any) -> httpx.Response:
    name = uuid4().hex
    body = {"name": "New", "username": name, "email": f"{name}@example.com", **fields}
    body |= await encrypted(client, "a new and long enough one")
    return await client.post("/api/v1/users", json=body, headers=person.headers)


class TestRow37NoMassAssignment:
    @pytest.mark.parametrize("extra", [{"id": str(uuid4())}, {"createTime": "2026-01-01T00:00:00Z"}, {"x": 1}])
    async def test_unknown_fields_of_a_role_are_refused(
        self, client: httpx.AsyncClient, admin: Person, extra: dict[str, Any]
    ) -> None:
        response = await client.post("/api/v1/roles", json=role(**extra), headers=admin.headers)
        assert response.status_code == 422

    async def test_the_code_of_a_role_never_changes(self, client: httpx.AsyncClient, admin: Person) -> None:
        made = await create_role(client, admin)
        body = {"name": "Role", "code": "other"}
        response = await client.put(f"/api/v1/roles/{made['id']}", json=body, headers=admin.headers)
        assert (response.status_code, response.json()["data"][0]["field"]) == (422, "code")

    @pytest.mark.parametrize("field", ["passwordHash", "mustChangePassword", "status", "username"])
    async def test_only_the_allowed_fields_of_a_user_can_be_changed(
        self, client: httpx.AsyncClient, people: People, admin: Person, field: str
    ) -> None:
        path = f"/api/v1/users/{(await people.user()).id}"
        assert (await client.patch(path, json={field: "x"}, headers=admin.headers)).status_code == 422


class TestRow38BoundedInput:
    @pytest.mark.parametrize(
        "query",
        ["page=0", "page=1000001", "page=x", f"page={2**70}", "pageSize=0", "pageSize=101", "sort=passwordHash", "x=1"],
    )
    async def test_a_page_out_of_bounds_is_422(self, client: httpx.AsyncClient, admin: Person, query: str) -> None:
        assert (await client.get(f"/api/v1/users?{query}", headers=admin.headers)).status_code == 422

    async def test_the_last_allowed_page_is_empty(self, client: httpx.AsyncClient, admin: Person) -> None:
        response = await client.get("/api/v1/users?page=1000000&pageSize=100", headers=admin.headers)
        assert response.json()["data"]["records"] == []

    @pytest.mark.parametrize("count", [0, 1001])
    async def test_the_number_of_ids_is_limited(self, client: httpx.AsyncClient, admin: Person, count: int) -> None:
        query = "&".join(f"ids={uuid4()}" for _ in range(count))
        assert (await client.delete(f"/api/v1/roles?{query}", headers=admin.headers)).status_code == 422

    async def test_1001_permissions_are_too_many(self, client: httpx.AsyncClient, admin: Person) -> None:
        body = role(*(f"GET:/{number}" for number in range(1001)))
        assert (await client.post("/api/v1/roles", json=body, headers=admin.headers)).status_code == 422

    @pytest.mark.parametrize("text", ["\x00", "a\x00b"])
    async def test_nul_is_refused(self, client: httpx.AsyncClient, admin: Person, text: str) -> None:
        response = await client.post("/api/v1/roles", json=role(name=text), headers=admin.headers)
        assert response.status_code == 422

    async def test_nul_in_a_search_is_refused(self, client: httpx.AsyncClient, admin: Person) -> None:
        response = await client.get("/api/v1/users", params={"keyword": "\x00"}, headers=admin.headers)
        assert response.status_code == 422

    async def test_a_lone_surrogate_is_refused(self, client: httpx.AsyncClient, admin: Person) -> None:
        headers = {**admin.headers, "Content-Type": "application/json"}
        response = await client.post("/api/v1/roles", content=b'{"name": "\\ud800", "code": "x"}', headers=headers)
        assert response.status_code == 422


class TestRow39Lists:
    async def test_pages_neither_repeat_nor_skip_rows_of_equal_sort_key(
        self, client: httpx.AsyncClient, admin: Person
    ) -> None:
        mark = uuid4().hex
        made = [(await create_role(client, admin, description=mark))["id"] for _ in range(7)]
        seen = []
        for page in range(1, 5):
            query: dict[str, str | int] = {"keyword": mark, "sort": "-name", "page": page, "pageSize": 2}
            response = await client.get("/api/v1/roles", params=query, headers=admin.headers)
            seen += [record["id"] for record in response.json()["data"]["records"]]
        assert sorted(seen) == sorted(made)

    @pytest.mark.parametrize("wildcard", ["%", "_", "\\"])
    async def test_wildcards_are_searched_literally(
        self, client: httpx.AsyncClient, admin: Person, wildcard: str
    ) -> None:
        mark = uuid4().hex
        for text in (f"{mark}{wildcard}x", f"{mark}yx"):
            await create_role(client, admin, description=text)
        query = {"keyword": f"{mark}{wildcard}x"}
        response = await client.get("/api/v1/roles", params=query, headers=admin.headers)
        assert response.json()["data"]["total"] == 1


class TestDeletingSeveralRoles:
    async def test_is_all_or_nothing(self, client: httpx.AsyncClient, admin: Person) -> None:
        made = await create_role(client, admin)
        query = {"ids": [made["id"], str(uuid4())]}
        refused = await client.delete("/api/v1/roles", params=query, headers=admin.headers)
        left = await client.get("/api/v1/roles/all", headers=admin.headers)
        assert refused.status_code == 404
        assert made["id"] in [row["id"] for row in left.json()["data"]]


class TestExplaining:
    async def explain(self, client: httpx.AsyncClient, admin: Person, person: Person) -> dict[str, Any]:
        query = {"userId": str(person.user.id), "method": "get", "path": "/api/v1/notices"}
        response = await client.get("/api/v1/permissions/explain", params=query, headers=admin.headers)
        data: dict[str, Any] = response.json()["data"]
        return data

    async def test_names_the_role_that_grants(self, client: httpx.AsyncClient, people: People, admin: Person) -> None:
        person, made = await people.create(), await create_role(client, admin, NOTICES)
        await give(client, admin, person, made["code"])
        explanation = await self.explain(client, admin, person)
        assert (explanation["granted"], explanation["decidedBy"]) == (True, made["code"])

    async def test_reports_that_only_a_disabled_role_grants_it(
        self, client: httpx.AsyncClient, people: People, admin: Person
    ) -> None:
        person, made = await people.create(), await create_role(client, admin, NOTICES, status=False)
        await give(client, admin, person, made["code"])
        explanation = await self.explain(client, admin, person)
        assert (explanation["granted"], explanation["reason"]) == (False, "Only disabled roles grant it.")

    async def test_agrees_with_the_decision_for_an_administrator(
        self, client: httpx.AsyncClient, admin: Person
    ) -> None:
        assert (await self.explain(client, admin, admin))["granted"] is True
