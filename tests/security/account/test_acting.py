"""Administrators who act as a user: for less than they hold themselves, and for everybody to see."""

import random
import re
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest
from fastapi import FastAPI

from src.core.effects import TaskCall
from src.core.resources import Resources
from src.core.security.access import Access
from src.core.unit_of_work import UnitOfWork
from src.main import app, rest
from src.models.role import Role
from src.models.user import UserRole
from src.services.login_only import ACT_AS, WHILE_ACTING, requires_login
from src.websockets.testing import SocketClient
from tests.security.conftest import Clock
from tests.support.outbox import audit_entries
from tests.support.people import USER_AGENT, People, Person

NOTICES, POST_NOTICES, USERS = "GET:/api/v1/notices", "POST:/api/v1/notices", "GET:/api/v1/users"
INFO, SESSIONS, LOGOUT = "/api/v1/auth/user/info", "/api/v1/auth/sessions", "/api/v1/auth/logout"


async def begin(client: httpx.AsyncClient, support: Person, user: Person) -> httpx.Response:
    return await client.post(f"/api/v1/users/{user.user.id}/act-as", headers=support.headers)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "User-Agent": USER_AGENT}


@pytest.fixture
async def support(client: httpx.AsyncClient, people: People) -> Person:
    """Somebody who may act as users, read and publish notices, and list users."""
    return await people.create(ACT_AS, NOTICES, POST_NOTICES, USERS)


@pytest.fixture
async def user(client: httpx.AsyncClient, people: People) -> Person:
    """A user who may read notices."""
    return await people.create(NOTICES)


@pytest.fixture
async def acting(client: httpx.AsyncClient, support: Person, user: Person) -> dict[str, str]:
    """Headers of requests by the support, acting as the user."""
    return bearer((await begin(client, support, user)).json()["data"]["accessToken"])


async def status(client: httpx.AsyncClient, headers: dict[str, str], path: str = "/api/v1/notices") -> int:
    return (await client.get(path, headers=headers)).status_code


class TestWho:
    async def test_one_who_holds_more_may(self, client: httpx.AsyncClient, support: Person, user: Person) -> None:
        response = await begin(client, support, user)
        data = response.json()["data"]
        assert (response.status_code, data["expiresIn"], set(data)) == (
            200,
            900,
            {"accessToken", "tokenType", "expiresIn"},
        )

    async def test_an_administrator_may(self, client: httpx.AsyncClient, admin: Person, support: Person) -> None:
        assert (await begin(client, admin, support)).status_code == 200

    async def test_without_the_permission_nobody_may(
        self, client: httpx.AsyncClient, people: People, user: Person
    ) -> None:
        response = await begin(client, await people.create(NOTICES, USERS), user)
        assert (response.status_code, response.json()["error"]) == (403, "auth.permission_denied")

    @pytest.mark.parametrize(
        ("codes", "error"),
        [
            ([ACT_AS, NOTICES, POST_NOTICES, USERS], "auth.not_yours_to_act_as"),  # an equal
            ([NOTICES, "GET:/api/v1/roles"], "auth.not_yours_to_grant"),  # holds something else
            ([ACT_AS, NOTICES, POST_NOTICES, USERS, "GET:/api/v1/roles"], "auth.not_yours_to_grant"),  # stronger
        ],
    )
    async def test_nobody_acts_as_equals_or_stronger_ones(
        self, client: httpx.AsyncClient, support: Person, people: People, codes: list[str], error: str
    ) -> None:
        response = await begin(client, support, await people.create(*codes))
        assert (response.status_code, response.json()["error"]) == (403, error)

    async def test_nobody_acts_as_oneself(self, client: httpx.AsyncClient, support: Person, admin: Person) -> None:
        assert [(await begin(client, each, each)).status_code for each in (support, admin)] == [403, 403]

    async def test_nobody_acts_as_an_administrator(
        self, client: httpx.AsyncClient, support: Person, admin: Person, people: People
    ) -> None:
        other = await people.create(is_admin=True)
        errors = [(await begin(client, each, other)).json()["error"] for each in (support, admin)]
        assert errors == ["auth.not_yours_to_rule", "auth.not_yours_to_act_as"]

    async def test_not_as_disabled_users_and_machines(
        self, client: httpx.AsyncClient, support: Person, people: People
    ) -> None:
        targets = [await people.create(status=False), await people.create(is_service_account=True)]
        errors = [(await begin(client, support, each)).json()["error"] for each in targets]
        assert errors == ["user.disabled", "user.service_account"]


class TestWhat:
    async def test_it_sees_what_the_user_sees(
        self, client: httpx.AsyncClient, acting: dict[str, str], user: Person
    ) -> None:
        info = (await client.get(INFO, headers=acting)).json()["data"]
        assert (await status(client, acting), info["id"]) == (200, str(user.user.id))

    async def test_it_does_not_do_what_the_user_may_not(
        self, client: httpx.AsyncClient, acting: dict[str, str]
    ) -> None:
        assert await status(client, acting, "/api/v1/users") == 403

    async def test_it_does_not_do_what_the_administrator_may_not(
        self, client: httpx.AsyncClient, acting: dict[str, str], user: Person, people: People, admin: Person
    ) -> None:
        """Even if the user is given more meanwhile."""
        await self.grant(people.uow, user, "GET:/api/v1/roles")
        await self.renew(client, admin, user)
        statuses = [await status(client, each, "/api/v1/roles") for each in (user.headers, acting)]
        assert statuses == [200, 403]

    async def test_dependencies_know_what_both_hold(
        self, client: httpx.AsyncClient, people: People, support: Person, user: Person, acting: dict[str, str]
    ) -> None:
        await self.grant(people.uow, user, "GET:/api/v1/permissions/mine")
        await self.grant(people.uow, support, "GET:/api/v1/permissions/mine")
        await self.renew(client, await people.create(is_admin=True), user, support)
        mine = (await client.get("/api/v1/permissions/mine", headers=acting)).json()["data"]
        assert set(mine) == {NOTICES, "GET:/api/v1/permissions/mine"}

    async def test_it_refuses_every_route_about_the_account_and_every_personal_code(
        self, client: httpx.AsyncClient, account_app: FastAPI, people: People, admin: Person
    ) -> None:
        everything = [each.code for each in account_app.state.registry.grantable]
        user = await people.create(*everything)
        headers = bearer((await begin(client, admin, user)).json()["data"]["accessToken"])
        wrong = []
        registry = account_app.state.registry
        for route in registry.routes:
            access = registry.access_to(route.code)
            if route.methods == ["SOCKET"] or access is Access.PUBLIC or route.code in WHILE_ACTING:
                continue
            if access is Access.PERMISSION and not requires_login(route.code):
                continue
            path = re.sub(r"\{[^}]+\}", str(uuid4()), route.path)
            response = await client.request(route.methods[0], path, headers=headers, json={})
            if response.status_code not in (401, 403, 429):  # 401: those that need a recent login
                wrong.append((route.code, response.status_code))
        assert wrong == []
        assert await status(client, headers, INFO) == 200

    async def test_it_cannot_act_again(
        self, client: httpx.AsyncClient, admin: Person, support: Person, user: Person
    ) -> None:
        headers = bearer((await begin(client, admin, support)).json()["data"]["accessToken"])
        response = await client.post(f"/api/v1/users/{user.user.id}/act-as", headers=headers)
        assert response.status_code == 403

    async def test_sockets_are_refused(self, acting: dict[str, str], account_app: FastAPI) -> None:
        token = acting["Authorization"].removeprefix("Bearer ")
        with pytest.raises(Exception, match=r"auth\.acting"):
            async with SocketClient(app, auth={"token": token}):
                pass

    async def grant(self, uow: UnitOfWork, person: Person, code: str) -> None:
        role = Role(name="Role", code=uuid4().hex, interface_permissions=[code])
        uow.session.add(role)
        await uow.session.flush()
        uow.session.add(UserRole(user_id=person.user.id, role_id=role.id))
        await uow.session.commit()

    async def renew(self, client: httpx.AsyncClient, admin: Person, *people: Person) -> None:
        """Have permissions read anew, as after each change by the API."""
        for person in people:
            path = f"/api/v1/users/{person.user.id}/status"
            assert (await client.put(path, json={"status": True}, headers=admin.headers)).status_code == 200


class TestEnd:
    async def test_after_15_minutes(
        self, client: httpx.AsyncClient, clock: Clock, support: Person, user: Person
    ) -> None:
        acting = bearer((await begin(client, support, user)).json()["data"]["accessToken"])
        statuses = [await status(client, acting)]
        clock.advance(901)
        assert [*statuses, await status(client, acting)] == [200, 401]

    async def test_redis_forgets_the_session_by_then(
        self, client: httpx.AsyncClient, acting: dict[str, str], user: Person, resources: Resources
    ) -> None:
        keys = [
            key async for key in resources.redis.scan_iter(match=f"auth:session:{{{user.user.id}}}:act:*", count=1000)
        ]
        assert [0 < await resources.redis.ttl(key) <= 900 for key in keys] == [True]

    async def test_the_user_can_still_log_out_everywhere(
        self, client: httpx.AsyncClient, acting: dict[str, str], user: Person, people: People, resources: Resources
    ) -> None:
        """The list of the user's sessions lives as long as they do, not as long as this one."""
        assert await resources.redis.ttl(f"auth:sessions:{{{user.user.id}}}") > 86_400
        sessions = [user.headers, acting, (await people.login(user.user)).headers]
        await client.post("/api/v1/auth/logout/all", headers=user.headers)
        assert [await status(client, each, INFO) for each in sessions] == [401, 401, 401]

    async def test_at_the_logout_of_the_session(self, client: httpx.AsyncClient, acting: dict[str, str]) -> None:
        await client.post(LOGOUT, headers=acting)
        assert await status(client, acting) == 401

    async def test_the_cookie_of_the_administrator_stays(
        self,
        client: httpx.AsyncClient,
        acting: dict[str, str],
        support: Person,
        resources: Resources,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        auth = resources.settings.auth.model_copy(update={"refresh_cookie_enabled": True})
        monkeypatch.setattr(resources.settings, "auth", auth)
        cookie = {"Cookie": f"refresh_token={support.tokens.refresh_token}"}
        responses = [await client.post(LOGOUT, headers={**each, **cookie}) for each in (acting, support.headers)]
        assert [("set-cookie" in response.headers, response.status_code) for response in responses] == [
            (False, 200),
            (True, 200),
        ]

    async def test_when_the_user_ends_it(self, client: httpx.AsyncClient, acting: dict[str, str], user: Person) -> None:
        rows = (await client.get(SESSIONS, headers=user.headers)).json()["data"]
        (row,) = [row for row in rows if row["actedBy"]]
        await client.delete(f"{SESSIONS}/{row['id']}", headers=user.headers)
        assert (await status(client, acting), await status(client, user.headers)) == (401, 200)

    async def test_when_the_administrator_logs_out(
        self, client: httpx.AsyncClient, acting: dict[str, str], support: Person
    ) -> None:
        await client.post(LOGOUT, headers=support.headers)
        assert [await status(client, acting), await status(client, acting, INFO)] == [401, 401]

    @pytest.mark.parametrize("whom", ["support", "user"])
    @pytest.mark.parametrize("how", ["disabled", "deleted"])
    async def test_when_either_is_gone(
        self,
        client: httpx.AsyncClient,
        acting: dict[str, str],
        support: Person,
        user: Person,
        admin: Person,
        whom: str,
        how: str,
    ) -> None:
        path = f"/api/v1/users/{(support if whom == 'support' else user).user.id}"
        if how == "disabled":
            await client.put(f"{path}/status", json={"status": False}, headers=admin.headers)
        else:
            await client.delete(path, headers=admin.headers)
        assert [await status(client, acting), await status(client, acting, INFO)] == [401, 401]

    async def test_when_the_administrator_loses_the_permission(
        self, client: httpx.AsyncClient, acting: dict[str, str], support: Person, admin: Person
    ) -> None:
        before = await status(client, acting)
        await client.put(f"/api/v1/users/{support.user.id}/roles", json={"roles": []}, headers=admin.headers)
        assert [before, await status(client, acting), await status(client, acting, INFO)] == [200, 401, 401]

    async def test_when_the_user_becomes_an_administrator(
        self, client: httpx.AsyncClient, user: Person, admin: Person
    ) -> None:
        acting = bearer((await begin(client, admin, user)).json()["data"]["accessToken"])
        before = await status(client, acting)
        await client.patch(f"/api/v1/users/{user.user.id}", json={"isAdmin": True}, headers=admin.headers)
        assert [before, await status(client, acting), await status(client, acting, INFO)] == [200, 401, 401]

    async def test_where_it_is_switched_off(
        self, client: httpx.AsyncClient, acting: dict[str, str], resources: Resources, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        auth = resources.settings.auth.model_copy(update={"act_as_enabled": False})
        monkeypatch.setattr(resources.settings, "auth", auth)
        assert [await status(client, acting), await status(client, acting, INFO)] == [401, 401]


class TestTraces:
    async def test_the_token_names_the_administrator(
        self, acting: dict[str, str], support: Person, user: Person
    ) -> None:
        token = acting["Authorization"].removeprefix("Bearer ")
        claims = jwt.decode(token, options={"verify_signature": False})
        assert (claims["sub"], claims["act"]) == (str(user.user.id), {"sub": str(support.user.id)})

    async def test_the_user_sees_it(
        self, client: httpx.AsyncClient, acting: dict[str, str], support: Person, user: Person
    ) -> None:
        expected = {"id": str(support.user.id), "username": support.user.username}
        rows = (await client.get(SESSIONS, headers=user.headers)).json()["data"]
        infos = [(await client.get(INFO, headers=each)).json()["data"]["actedBy"] for each in (acting, user.headers)]
        assert ([row["actedBy"] for row in rows if row["actedBy"]], infos) == ([expected], [expected, None])
        assert support.tokens.session_id not in str(rows)
        assert [(row["address"], row["userAgent"]) for row in rows if row["actedBy"]] == [("", "")]

    async def test_the_user_is_told_by_e_mail(
        self, client: httpx.AsyncClient, sent: list[TaskCall], support: Person, user: Person
    ) -> None:
        await begin(client, support, user)
        (call,) = [call for call in sent if call.name == "emails.send_notice"]
        assert (call.kwargs["user_id"], call.kwargs["notice"], call.kwargs["details"]["secret_administrator"]) == (
            str(user.user.id),
            "acted_as",
            support.user.username,
        )

    async def test_every_audit_entry_says_so(
        self, client: httpx.AsyncClient, acting: dict[str, str], support: Person, user: Person, uow: UnitOfWork
    ) -> None:
        await client.put("/api/v1/auth/password", json={}, headers=acting)  # refused
        await client.post(LOGOUT, headers=acting)
        entries = await audit_entries(uow)
        assert [(entry["action"], entry["actor_id"], entry["acted_by"], entry["result"]) for entry in entries] == [
            (ACT_AS, str(support.user.id), None, "success"),
            ("PUT:/api/v1/auth/password", str(user.user.id), str(support.user.id), "failure"),
            ("POST:/api/v1/auth/logout", str(user.user.id), str(support.user.id), "success"),
        ]
        assert entries[0]["target"] == {"userId": str(user.user.id)}


class TestCost:
    async def test_a_guarded_request_is_one_round_trip(
        self, client: httpx.AsyncClient, acting: dict[str, str], resources: Resources, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert await status(client, acting) == 200  # fills the cache
        batches: list[int] = []
        send = resources.redis._send

        async def counted(batch: list[Any]) -> None:
            batches.append(len(batch))
            await send(batch)

        monkeypatch.setattr(resources.redis, "_send", counted)
        assert await status(client, acting) == 200
        assert batches[0] == 4
        assert len(batches) == 1


@pytest.mark.slow
class TestWrongTokens:
    async def test_none_of_500_is_accepted(
        self, client: httpx.AsyncClient, acting: dict[str, str], support: Person, user: Person, resources: Resources
    ) -> None:
        rng = random.Random(22)  # noqa: S311 - it is to be the same in every run
        tokens, now = resources.tokens, resources.tokens.now()
        right = acting["Authorization"].removeprefix("Bearer ")
        sid = jwt.decode(right, options={"verify_signature": False})["sid"]
        prefix, operator, own_session, name = sid.split(":")
        swapped = [
            f"{prefix}:{operator}:{own_session}:{uuid4().hex}",  # no such session
            f"{prefix}:{user.user.id.hex}:{user.tokens.session_id}:{name}",  # by another administrator
            f"{prefix}:{operator}:{user.tokens.session_id}:{name}",
            f"{prefix}:{uuid4().hex}:{own_session}:{name}",
        ]
        wrong = [tokens.access(user.user.id, each, now, acted_by=support.user.id) for each in swapped]
        wrong += [tokens.access(support.user.id, sid, now), tokens.access(uuid4(), sid, now)]
        wrong.append(tokens.access(user.user.id, sid, now - 1000))
        while len(wrong) < 500:
            place = rng.randrange(len(right))
            other = rng.choice("Aa0_-.")
            if other != right[place]:
                wrong.append(right[:place] + other + right[place + 1 :])
        accepted = [token for token in wrong if await status(client, bearer(token)) != 401]
        assert (accepted, await status(client, acting)) == ([], 200)


class TestAbsence:
    @pytest.mark.usefixtures("uow")
    async def test_without_the_setting_the_route_does_not_exist(self, admin: Person, person: Person) -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            assert (await begin(client, admin, person)).status_code == 404

    def test_its_permission_exists_with_it(self, account_app: FastAPI) -> None:
        codes = [{route.code for route in each.state.registry.grantable} for each in (account_app, rest)]
        assert [ACT_AS in each for each in codes] == [True, False]
