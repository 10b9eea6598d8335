"""API keys are made, rotated and revoked by those who may; machines' accounts are used by keys alone."""

import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi.routing import iter_route_contexts
from sqlmodel import col, select

from src.api.v1.router import create_router
from src.core.config import Settings
from src.core.resources import Resources
from src.core.security.access import Access
from src.core.security.api_key import PREFIX, new_key
from src.core.unit_of_work import UnitOfWork
from src.crud.api_key import ApiKeyCRUD
from src.main import app, rest
from src.models.outbox import OutboxMessage
from src.services.login_only import LOGIN_ONLY
from src.utils.date import utc_now
from src.websockets.testing import Refused, SocketClient
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
from tests.support.login import encrypted, log_in
from tests.support.people import People, Person

ACCOUNTS = "/api/v1/service-accounts"
EXPLAIN = "/api/v1/permissions/explain"
REGISTRY = rest.state.registry
Audited = Callable[[Person], Awaitable[list[dict[str, Any]]]]


@pytest.fixture
def audited(uow: UnitOfWork) -> Audited:
    """The audit entries of a person, oldest first."""

    async def find(person: Person) -> list[dict[str, Any]]:
        rows = await uow.session.exec(select(OutboxMessage).order_by(col(OutboxMessage.id)))
        payloads = [row.payload for row in rows.all()]
        return [payload for payload in payloads if payload.get("actor_id") == str(person.user.id)]

    return find


class TestRotation:
    async def test_lets_both_keys_work_for_a_while(
        self, client: httpx.AsyncClient, owner: Person, key: dict[str, Any]
    ) -> None:
        await status(client, key["key"])
        rotated = await client.post(f"{PATH}/{key['id']}/rotate", json={"overlapSeconds": 60}, headers=owner.headers)
        new = rotated.json()["data"]
        assert (new["id"], new["codes"], new["start"]) == (key["id"], key["codes"], new["key"][: len(new["start"])])
        assert [await status(client, one) for one in (key["key"], new["key"])] == [200, 200]

    async def test_ends_the_key_before_the_last(
        self, client: httpx.AsyncClient, owner: Person, key: dict[str, Any]
    ) -> None:
        keys = [key["key"]]
        for _ in range(2):
            assert await status(client, keys[-1]) == 200
            rotated = await client.post(f"{PATH}/{key['id']}/rotate", json={}, headers=owner.headers)
            keys.append(rotated.json()["data"]["key"])
        assert [await status(client, one) for one in keys] == [401, 200, 200]

    async def test_does_not_prolong_the_current_key(self, client: httpx.AsyncClient, owner: Person) -> None:
        soon = utc_now() + timedelta(seconds=60)
        made = await make_key(client, owner, NOTICES, expiresAt=soon.isoformat())
        later = (soon + timedelta(days=1)).isoformat()
        body = {"overlapSeconds": 3600, "expiresAt": later}
        rotated = await client.post(f"{PATH}/{made['id']}/rotate", json=body, headers=owner.headers)
        data = rotated.json()["data"]
        assert (data["previousExpiresAt"], data["expiresAt"] > made["expiresAt"]) == (made["expiresAt"], True)


class TestALimit:
    async def test_of_keys_per_owner_names_the_number(
        self, client: httpx.AsyncClient, resources: Resources, owner: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        limited = resources.settings.auth.model_copy(update={"api_keys_per_user": 2})
        monkeypatch.setattr(resources.settings, "auth", limited)
        made, _ = [await make_key(client, owner, NOTICES) for _ in range(2)]
        refused = await client.post(PATH, json={"name": "Third", "codes": [NOTICES]}, headers=owner.headers)
        assert (refused.status_code, refused.json()["error"]) == (409, "api_keys.too_many")
        assert refused.json()["data"] == {"limit": 2}
        rotated = await client.post(f"{PATH}/{made['id']}/rotate", json={}, headers=owner.headers)
        assert rotated.status_code == 200

    @pytest.mark.parametrize(
        ("fields", "field"),
        [
            ({"codes": []}, "codes"),
            ({"codes": ["*"]}, "codes"),
            ({"codes": ["GET:/api/v1/nothing"]}, "codes"),
            ({"codes": ["SOCKET:chat.send"]}, "codes"),
            ({"codes": [f"POST:{PATH}"]}, "codes"),
            ({"expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt"),
            ({"addresses": ["192.0.2.1/24"]}, "addresses.0"),
            ({"addresses": ["example.com"]}, "addresses.0"),
            ({"name": ""}, "name"),
            ({"key": new_key()}, "key"),
        ],
    )
    async def test_of_the_input_is_422(
        self, client: httpx.AsyncClient, owner: Person, fields: dict[str, Any], field: str
    ) -> None:
        body = {"name": "Key", "codes": [NOTICES], **fields}
        response = await client.post(PATH, json=body, headers=owner.headers)
        assert (response.status_code, [item["field"] for item in response.json()["data"]]) == (422, [field])


class TestTheKeyOfSomebodyElse:
    async def test_is_not_found(self, client: httpx.AsyncClient, people: People, key: dict[str, Any]) -> None:
        other = await people.create(NOTICES, *OWN)
        answers = [
            await client.delete(f"{PATH}/{key['id']}", headers=other.headers),
            await client.post(f"{PATH}/{key['id']}/rotate", json={}, headers=other.headers),
        ]
        assert [answer.status_code for answer in answers] == [404, 404]
        for query in ({}, {"userId": key["userId"]}):
            listed = await client.get(PATH, params=query, headers=other.headers)
            assert listed.json()["data"]["records"] == []
        assert await status(client, key["key"]) == 200

    async def test_is_revoked_by_those_who_may_manage_them_and_never_shown(
        self, client: httpx.AsyncClient, admin: Person, people: People, owner: Person, key: dict[str, Any]
    ) -> None:
        weaker = await people.create(*OWN, MANAGE)
        path = f"{PATH}/{key['id']}"
        assert (await client.delete(path, headers=weaker.headers)).json()["error"] == "auth.not_yours_to_grant"
        body = {"name": "In their name", "codes": [NOTICES], "userId": str(owner.user.id)}
        impersonated = [
            await client.post(f"{path}/rotate", json={}, headers=admin.headers),
            await client.post(PATH, json=body, headers=admin.headers),
        ]
        assert [answer.status_code for answer in impersonated] == [422, 422]
        assert (await client.post(PATH, json=body, headers=weaker.headers)).status_code == 403
        assert (await client.delete(path, headers=admin.headers)).status_code == 200
        assert await status(client, key["key"]) == 401

    async def test_is_listed_for_those_who_may_see_all(
        self, client: httpx.AsyncClient, people: People, owner: Person, key: dict[str, Any]
    ) -> None:
        manager = await people.create(*OWN, MANAGE)
        query = {"userId": str(owner.user.id)}
        found = (await client.get(PATH, params=query, headers=manager.headers)).json()["data"]["records"]
        assert [row["id"] for row in found] == [key["id"]]


class TestTheAuditLog:
    async def test_names_the_key_that_is_made_rotated_and_revoked(
        self, client: httpx.AsyncClient, uow: UnitOfWork, owner: Person, key: dict[str, Any], audited: Audited
    ) -> None:
        await client.post(f"{PATH}/{key['id']}/rotate", json={}, headers=owner.headers)
        await client.delete(f"{PATH}/{key['id']}", headers=owner.headers)
        entries = await audited(owner)
        assert [entry["action"] for entry in entries] == [*OWN[1:]]
        assert {entry["target"]["keyId"] for entry in entries} == {key["id"]}
        assert {entry["details"]["name"] for entry in entries} == {"Test"}
        assert {entry["api_key_id"] for entry in entries} == {None}
        assert re.search(rf"{PREFIX}\w{{9}}", str(entries)) is None

    async def test_marks_what_was_done_with_a_key(
        self, client: httpx.AsyncClient, owner: Person, audited: Audited
    ) -> None:
        made = await make_key(client, owner, SCHEDULES)
        await make_schedule(client, made["key"], "system.ping")
        await make_schedule(client, made["key"], "notices.announce", notice_id="x")
        _, *entries = await audited(owner)
        assert [(entry["result"], entry["api_key_id"]) for entry in entries] == [
            ("success", made["id"]),
            ("failure", made["id"]),
        ]


class TestWhatRequiresALogin:
    async def test_refuses_every_key_on_routes_of_the_own_account(
        self, client: httpx.AsyncClient, key: dict[str, Any]
    ) -> None:
        for code, calls in (("GET", "user/info"), ("GET", "sessions"), ("POST", "logout/all"), ("POST", "logout")):
            response = await client.request(code, f"/api/v1/auth/{calls}", headers=bearer(key["key"]))
            assert (response.status_code, response.json()["error"]) == (401, "auth.login_required")

    async def test_refuses_every_key_on_a_socket(self, key: dict[str, Any]) -> None:
        with pytest.raises(Refused, match="API keys are not accepted here"):
            async with SocketClient(app, auth={"token": key["key"]}):
                pass

    async def test_is_not_possible_with_a_key_that_holds_its_code(
        self, client: httpx.AsyncClient, uow: UnitOfWork, admin: Person
    ) -> None:
        """Such as one that was made before the code was one of them."""
        made = await make_key(client, admin, NOTICES)
        row = await ApiKeyCRUD(uow.session).get(UUID(made["id"]))
        row.codes = [NOTICES, *LOGIN_ONLY]
        await uow.session.commit()
        for code in LOGIN_ONLY:
            method, path = re.sub(r"{\w+}", str(uuid4()), code).split(":", 1)
            response = await client.request(method, path, json={}, headers=bearer(made["key"]))
            assert (response.status_code, response.json()["error"]) == (403, "auth.permission_denied"), code

    def test_is_a_list_of_routes_that_exist(self) -> None:
        assert {code for code in LOGIN_ONLY if REGISTRY.access_to(code) is not Access.PERMISSION} == set()

    def test_includes_every_change_of_a_credential_or_a_role(self) -> None:
        pattern = r"(POST|PUT|PATCH|DELETE):.*(password|session|api-key|service-account|unlock|factor|/roles)"
        found = {route.code for route in REGISTRY.grantable if re.match(pattern, route.code)}
        changing = found - {"POST:/api/v1/roles/{roleId}/preview"}
        assert changing <= LOGIN_ONLY
        assert len(changing) >= 13


class TestExplaining:
    async def explain(self, client: httpx.AsyncClient, admin: Person, key: dict[str, Any], code: str) -> Any:
        method, path = code.split(":", 1)
        query = {"userId": key["userId"], "apiKeyId": key["id"], "method": method, "path": path}
        return (await client.get(EXPLAIN, params=query, headers=admin.headers)).json()

    async def test_agrees_with_every_decision(
        self, client: httpx.AsyncClient, people: People, admin: Person, uow: UnitOfWork
    ) -> None:
        codes = [NOTICES, ROLES, "GET:/api/v1/users", OWN[1]]
        person = await people.create(NOTICES, *OWN)
        made = [await make_key(client, person, NOTICES), await make_key(client, admin, NOTICES, "GET:/api/v1/users")]
        row = await ApiKeyCRUD(uow.session).get(UUID(made[0]["id"]))
        row.codes = codes
        await uow.session.commit()
        for key in made:
            for code in [*codes, "GET:/api/v1/auth/user/info", "GET:/api/v1/auth/keys/public"]:
                data = (await self.explain(client, admin, key, code))["data"]
                method, path = code.split(":", 1)
                response = await client.request(method, path, headers=bearer(key["key"]))
                assert data["granted"] == (response.status_code not in (401, 403)), (code, data)

    async def test_says_that_it_is_the_key(self, client: httpx.AsyncClient, admin: Person, key: dict[str, Any]) -> None:
        reasons = [
            (await self.explain(client, admin, key, code))["data"]["reason"] for code in (NOTICES, SCHEDULES, ROLES)
        ]
        assert reasons[0].endswith("grants it. The API key holds it.")
        assert reasons[1] == "The API key does not hold it."
        assert reasons[2] == "No API key may do it: it needs a login."

    async def test_knows_only_keys_of_the_user(
        self, client: httpx.AsyncClient, people: People, admin: Person, key: dict[str, Any]
    ) -> None:
        stranger = await people.user()
        answer = await self.explain(client, admin, {**key, "userId": str(stranger.id)}, NOTICES)
        assert answer["error"] == "resource.not_found"


class TestAServiceAccount:
    @pytest.fixture
    async def account(self, client: httpx.AsyncClient, admin: Person) -> dict[str, Any]:
        body = {"name": "Import", "username": f"import-{uuid4().hex}", "roles": []}
        response = await client.post(ACCOUNTS, json=body, headers=admin.headers)
        assert response.status_code == 201, response.text
        data: dict[str, Any] = response.json()["data"]
        return data

    async def role(self, client: httpx.AsyncClient, admin: Person, account: dict[str, Any], *codes: str) -> None:
        role = {"name": "Role", "code": uuid4().hex, "interfacePermissions": list(codes)}
        await client.post("/api/v1/roles", json=role, headers=admin.headers)
        path = f"/api/v1/users/{account['id']}/roles"
        assert (await client.put(path, json={"roles": [role["code"]]}, headers=admin.headers)).status_code == 200

    async def test_works_by_keys_within_its_roles(
        self, client: httpx.AsyncClient, admin: Person, account: dict[str, Any]
    ) -> None:
        body = {"name": "Key", "codes": [NOTICES], "userId": account["id"]}
        assert (await client.post(PATH, json=body, headers=admin.headers)).status_code == 403
        await self.role(client, admin, account, NOTICES)
        made = await make_key(client, admin, NOTICES, userId=account["id"])
        answers = [await status(client, made["key"])]
        rotated = await client.post(f"{PATH}/{made['id']}/rotate", json={"overlapSeconds": 0}, headers=admin.headers)
        answers += [await status(client, key) for key in (made["key"], rotated.json()["data"]["key"])]
        await self.role(client, admin, account, ROLES)
        answers.append(await status(client, rotated.json()["data"]["key"]))
        assert answers == [200, 401, 200, 403]

    async def test_has_no_password_and_never_gets_one(
        self, client: httpx.AsyncClient, own_client: httpx.AsyncClient, admin: Person, account: dict[str, Any]
    ) -> None:
        unknown, known = await log_in(own_client, uuid4().hex), await log_in(own_client, account["username"], "")
        assert known.status_code == unknown.status_code == 401
        assert known.json()["error"] == unknown.json()["error"] == "auth.invalid_credentials"
        path = f"/api/v1/users/{account['id']}"
        refused = [
            await client.put(f"{path}/password", json=await encrypted(client), headers=admin.headers),
            await client.patch(path, json={"isAdmin": True}, headers=admin.headers),
        ]
        assert [(answer.status_code, answer.json()["error"]) for answer in refused] == [
            (409, "user.service_account"),
            (409, "user.service_account"),
        ]

    async def test_is_listed_among_the_users(
        self, client: httpx.AsyncClient, admin: Person, account: dict[str, Any]
    ) -> None:
        query = {"isServiceAccount": "true"}
        found = (await client.get("/api/v1/users", params=query, headers=admin.headers)).json()["data"]["records"]
        assert account["id"] in [row["id"] for row in found]
        assert all(row["isServiceAccount"] for row in found)

    async def test_gets_no_role_that_its_maker_does_not_hold(
        self, client: httpx.AsyncClient, people: People, admin: Person
    ) -> None:
        maker = await people.create(f"POST:{ACCOUNTS}")
        role = {"name": "Role", "code": uuid4().hex, "interfacePermissions": [NOTICES]}
        await client.post("/api/v1/roles", json=role, headers=admin.headers)
        body = {"name": "Bot", "username": f"bot-{uuid4().hex}", "roles": [role["code"]]}
        response = await client.post(ACCOUNTS, json=body, headers=maker.headers)
        assert (response.status_code, response.json()["error"]) == (403, "auth.not_yours_to_grant")


class TestSwitchedOff:
    def test_leaves_no_route(self) -> None:
        settings = Settings.load()
        found = []
        for enabled in (True, False):
            settings.auth = settings.auth.model_copy(update={"api_keys_enabled": enabled})
            paths = [str(route.path) for route in iter_route_contexts(create_router(settings).routes)]
            found.append([path for path in paths if re.match("/(api-keys|service-accounts)", path)])
        assert [len(paths) for paths in found] == [5, 0]
