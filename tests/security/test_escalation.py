"""Nobody reaches above themselves: limits of those who edit roles and manage users."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest

from src.core.routing.registry import RouteInfo
from src.core.security.access import declare_permission
from src.deps.permission import owner_or
from src.main import rest
from src.models.role import Role
from tests.security.test_access import call
from tests.security.test_administration import NOTICES, ROLES, USERS, create_role, give, role
from tests.support.login import encrypted
from tests.support.people import People, Person
from tests.support.uploads import CODES, FILES, uploaded

EDITOR = (*ROLES, "DELETE:/api/v1/roles", "GET:/api/v1/roles/{roleId}")
REST: list[RouteInfo] = [route for route in rest.state.registry.routes if route.methods != ["SOCKET"]]
FORBIDDEN = (403, "auth.not_yours_to_grant")


Explain = Callable[[Person, str, str], Awaitable[dict[str, Any]]]


def refusal(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["error"]


@pytest.fixture
async def editor(people: People) -> Person:
    """A user who may edit roles, and nothing else."""
    return await people.create(*EDITOR)


class TestEscalation19OwnersOrHoldersOfAPermission:
    @pytest.fixture
    async def attachment(self, client: httpx.AsyncClient, people: People) -> str:
        return f"{FILES}/{(await uploaded(client, await people.create(*CODES), b'content'))['id']}"

    @pytest.mark.parametrize("method", ["GET", "DELETE"])
    async def test_a_file_of_somebody_else_is_not_found(
        self, client: httpx.AsyncClient, people: People, attachment: str, method: str
    ) -> None:
        stranger = await people.create(*CODES)
        assert (await client.request(method, attachment, headers=stranger.headers)).status_code == 404
        listed = (await client.get(FILES, headers=stranger.headers)).json()["data"]
        assert listed["total"] == 0

    async def test_a_permitted_clerk_sees_and_lists_it(
        self, client: httpx.AsyncClient, people: People, attachment: str
    ) -> None:
        clerk = await people.create(*CODES, "files.manage")
        content = await client.get(f"{attachment}/content", headers=clerk.headers)
        ids = [row["id"] for row in (await client.get(FILES, headers=clerk.headers)).json()["data"]["records"]]
        assert (content.content, attachment.rpartition("/")[2] in ids) == (b"content", True)

    async def test_the_permission_alone_opens_no_route(
        self, client: httpx.AsyncClient, people: People, attachment: str
    ) -> None:
        clerk = await people.create("files.manage")
        assert (await client.get(attachment, headers=clerk.headers)).status_code == 403

    async def test_taking_it_away_takes_effect_at_once(
        self, client: httpx.AsyncClient, people: People, admin: Person, attachment: str
    ) -> None:
        clerk = await people.create()
        plain, manager = [await create_role(client, admin, *CODES, *more) for more in ((), ("files.manage",))]
        codes = []
        for made in (plain, manager, plain):
            await give(client, admin, clerk, made["code"])
            codes.append((await client.get(attachment, headers=clerk.headers)).status_code)
        assert codes == [404, 200, 404]

    async def test_roles_grant_it_and_explain_knows_it(
        self, client: httpx.AsyncClient, people: People, admin: Person
    ) -> None:
        clerk = await people.create("files.manage")
        query = {"userId": str(clerk.user.id), "method": "PERMISSION", "path": "files.manage"}
        answer = (await client.get("/api/v1/permissions/explain", params=query, headers=admin.headers)).json()["data"]
        unknown = await client.post("/api/v1/roles", json=role("files.manages"), headers=admin.headers)
        assert (answer["granted"], answer["permission"], unknown.status_code) == (True, "files.manage", 422)

    def test_a_code_must_be_declared(self) -> None:
        with pytest.raises(ValueError, match="not declared"):
            owner_or("invoice.manage")

    @pytest.mark.parametrize("code", ["*", "invoices", "GET:/api/v1/x", "Invoice.manage", "files.manage"])
    def test_a_declaration_is_well_formed_and_unique(self, code: str) -> None:
        with pytest.raises(ValueError, match=r"noun\.verb"):
            declare_permission(code, "Another description")


class TestRow57NobodyChangesWhatTheyCouldNotGrant:
    @pytest.fixture
    async def stronger(self, client: httpx.AsyncClient, admin: Person) -> str:
        """The path of a role that grants more than the editor holds."""
        fields = {"buttonPermissions": ["delete"], "routerPermissions": ["/admin"]}
        return f"/api/v1/roles/{(await create_role(client, admin, NOTICES, **fields))['id']}"

    @pytest.mark.parametrize(
        "body",
        [
            {"interfacePermissions": []},
            {"interfacePermissions": [NOTICES, ROLES[0]], "status": False},
            {"status": False},
            {"buttonPermissions": []},
            {"routerPermissions": []},
            {"buttonPermissions": ["delete", "edit"]},
            {"routerPermissions": ["/admin", "/users"]},
        ],
    )
    async def test_a_stronger_role_cannot_be_changed(
        self, client: httpx.AsyncClient, editor: Person, stronger: str, body: dict[str, Any]
    ) -> None:
        assert refusal(await client.put(stronger, json=body, headers=editor.headers)) == FORBIDDEN

    async def test_a_stronger_role_cannot_be_deleted(
        self, client: httpx.AsyncClient, editor: Person, stronger: str
    ) -> None:
        several = {"ids": stronger.rpartition("/")[2]}
        assert refusal(await client.delete(stronger, headers=editor.headers)) == FORBIDDEN
        assert refusal(await client.delete("/api/v1/roles", params=several, headers=editor.headers)) == FORBIDDEN
        assert (await client.get(stronger, headers=editor.headers)).status_code == 200

    @pytest.mark.parametrize("field", ["buttonPermissions", "routerPermissions"])
    async def test_ui_permissions_are_granted_only_by_holders(
        self, client: httpx.AsyncClient, editor: Person, field: str
    ) -> None:
        response = await client.post("/api/v1/roles", json=role(**{field: ["x"]}), headers=editor.headers)
        assert refusal(response) == FORBIDDEN

    async def test_a_holder_of_ui_permissions_may_grant_them(
        self, client: httpx.AsyncClient, admin: Person, editor: Person
    ) -> None:
        fields = {"buttonPermissions": ["x"], "routerPermissions": ["y"]}
        held = await create_role(client, admin, *EDITOR, **fields)
        await give(client, admin, editor, held["code"])
        response = await client.post("/api/v1/roles", json=role(**fields), headers=editor.headers)
        assert response.status_code == 201

    async def test_a_disabled_role_cannot_be_filled_with_codes_that_the_editor_lacks(
        self, client: httpx.AsyncClient, admin: Person, editor: Person
    ) -> None:
        disabled = await create_role(client, admin, status=False)
        body = {"interfacePermissions": [NOTICES]}
        response = await client.put(f"/api/v1/roles/{disabled['id']}", json=body, headers=editor.headers)
        assert refusal(response) == FORBIDDEN

    async def test_a_role_within_ones_own_permissions_can_be_changed_and_deleted(
        self, client: httpx.AsyncClient, editor: Person
    ) -> None:
        path = f"/api/v1/roles/{(await create_role(client, editor, ROLES[0]))['id']}"
        changes: list[dict[str, Any]] = [{"status": False}, {"status": True}, {"interfacePermissions": []}]
        done = [await client.put(path, json=body, headers=editor.headers) for body in changes]
        done.append(await client.delete(path, headers=editor.headers))
        assert [response.status_code for response in done] == [200] * 4


class TestRow57UsersAreJudgedByEveryRoleTheyHave:
    async def test_a_user_with_a_stronger_disabled_role_cannot_be_taken_over(
        self, client: httpx.AsyncClient, people: People, admin: Person
    ) -> None:
        manager, victim = await people.create(*USERS), await people.create()
        await give(client, admin, victim, (await create_role(client, admin, NOTICES, status=False))["code"])
        body = await encrypted(client, "a new and long enough one")
        response = await client.put(f"/api/v1/users/{victim.user.id}/password", json=body, headers=manager.headers)
        assert refusal(response) == FORBIDDEN

    async def test_a_role_with_ui_permissions_is_assigned_only_by_holders(
        self, client: httpx.AsyncClient, people: People, admin: Person
    ) -> None:
        manager, person = await people.create(*USERS), await people.create()
        made = await create_role(client, admin, buttonPermissions=["x"])
        assert refusal(await give(client, manager, person, made["code"])) == FORBIDDEN


class TestRow58RolesOnlyGrantWhatExists:
    @pytest.mark.parametrize(
        "code",
        [
            "POST:/api/v1/invoice",
            "string",
            "*",
            "get:/api/v1/notices",
            "GET:/api/v1/auth/keys/public",
            "POST:/api/v1/auth/logout",
        ],
    )
    async def test_an_unknown_code_is_422_and_named(self, client: httpx.AsyncClient, admin: Person, code: str) -> None:
        path = f"/api/v1/roles/{(await create_role(client, admin))['id']}"
        body = {"interfacePermissions": [NOTICES, code]}
        created = await client.post("/api/v1/roles", json=role(NOTICES, code), headers=admin.headers)
        updated = await client.put(path, json=body, headers=admin.headers)
        for response in (created, updated):
            (error,) = response.json()["data"]
            assert (response.status_code, error["field"]) == (422, "interfacePermissions")
            assert code in error["message"]
            assert NOTICES not in error["message"]

    @pytest.fixture
    async def stale(self, people: People) -> str:
        """The path of a role that still grants the code of a removed feature."""
        made = Role(name="Stale", code=uuid4().hex, interface_permissions=[ROLES[0], "GET:/api/v1/removed"])
        people.uow.session.add(made)
        await people.uow.session.commit()
        return f"/api/v1/roles/{made.id}"

    async def test_stale_codes_are_shown(self, client: httpx.AsyncClient, admin: Person, stale: str) -> None:
        data = (await client.get(stale, headers=admin.headers)).json()["data"]
        assert data["stalePermissions"] == ["GET:/api/v1/removed"]

    async def test_stale_codes_do_not_block_other_changes(
        self, client: httpx.AsyncClient, admin: Person, stale: str
    ) -> None:
        body = {"name": "New", "interfacePermissions": [ROLES[0], "GET:/api/v1/removed", NOTICES]}
        assert (await client.put(stale, json=body, headers=admin.headers)).status_code == 200

    async def test_stale_codes_can_be_removed_by_role_editors(
        self, client: httpx.AsyncClient, editor: Person, stale: str
    ) -> None:
        body = {"interfacePermissions": [ROLES[0]]}
        response = await client.put(stale, json=body, headers=editor.headers)
        shown = (await client.get(stale, headers=editor.headers)).json()["data"]
        assert (response.status_code, shown["stalePermissions"]) == (200, [])

    async def test_a_ui_permission_is_no_code(self, client: httpx.AsyncClient, admin: Person) -> None:
        path = f"/api/v1/roles/{(await create_role(client, admin, buttonPermissions=['x']))['id']}"
        body = {"interfacePermissions": ["button:x"]}
        assert (await client.put(path, json=body, headers=admin.headers)).status_code == 422

    async def test_a_role_with_only_ui_permissions_cannot_be_deleted_by_others(
        self, client: httpx.AsyncClient, admin: Person, editor: Person
    ) -> None:
        path = f"/api/v1/roles/{(await create_role(client, admin, routerPermissions=['x']))['id']}"
        assert refusal(await client.delete(path, headers=editor.headers)) == FORBIDDEN

    async def test_a_role_with_stale_codes_can_be_deleted_by_role_editors(
        self, client: httpx.AsyncClient, editor: Person, stale: str
    ) -> None:
        assert (await client.delete(stale, headers=editor.headers)).status_code == 200

    async def test_a_wildcard_that_was_stored_before_grants_nothing(
        self, client: httpx.AsyncClient, people: People
    ) -> None:
        person = await people.create("*")
        assert (await client.get("/api/v1/notices", headers=person.headers)).status_code == 403


@pytest.mark.slow
class TestRow61ExplanationEqualsEnforcement:
    @pytest.fixture
    def explain(self, client: httpx.AsyncClient, admin: Person) -> Explain:
        async def explain(person: Person, method: str, path: str) -> dict[str, Any]:
            query = {"userId": str(person.user.id), "method": method, "path": path}
            response = await client.get("/api/v1/permissions/explain", params=query, headers=admin.headers)
            data: dict[str, Any] = response.json()["data"]
            return data

        return explain

    @pytest.mark.parametrize("codes", [(), (NOTICES,), ("*",)], ids=["nothing", "one code", "a wildcard"])
    async def test_for_every_route(
        self, client: httpx.AsyncClient, people: People, explain: Explain, codes: tuple[str, ...]
    ) -> None:
        different = []
        for route in REST:
            if route.code == "POST:/api/v1/auth/token/refresh":
                continue  # public, but 401 without a refresh token
            person = await people.create(*codes)
            explained = (await explain(person, route.methods[0], route.path))["granted"]
            if explained is not (await call(client, route, person.headers) not in {401, 403}):
                different.append(route.code)
        assert different == []

    @pytest.mark.parametrize(
        ("method", "path", "reason"),
        [
            ("POST", "/api/v1/auth/login", "public: no login is needed."),
            ("GET", "/api/v1/auth/sessions", "any login: no permission is needed."),
            ("SOCKET", "auth.refresh", "any login: no permission is needed."),
            ("GET", "/api/v1/notices", "No role of the user grants it."),
        ],
    )
    async def test_names_what_is_required(
        self, people: People, explain: Explain, method: str, path: str, reason: str
    ) -> None:
        assert (await explain(await people.create(), method, path))["reason"] == reason

    @pytest.mark.parametrize("path", ["/api/v1/gone", "/api/v1/roles/mine/"])
    async def test_no_route_is_granted_to_nobody(self, admin: Person, explain: Explain, path: str) -> None:
        explanation = await explain(admin, "GET", path)
        assert (explanation["granted"], explanation["reason"]) == (False, "There is no such route or event.")

    async def test_a_disabled_user_has_no_login(self, people: People, explain: Explain) -> None:
        person = await people.create(status=False)
        assert (await explain(person, "GET", "/api/v1/auth/sessions"))["granted"] is False
        assert (await explain(person, "POST", "/api/v1/auth/login"))["granted"] is True
