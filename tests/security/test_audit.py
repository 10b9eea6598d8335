"""The audit log: every change and every authentication event is recorded."""

from typing import Any
from unittest.mock import AsyncMock
from uuid import uuid4

import httpx
import pytest
from fastapi import HTTPException
from sqlmodel import col, delete, select

from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.models.outbox import OutboxMessage
from src.services.audit import AuditService
from src.services.session import SessionService
from tests.support.login import encrypted, log_in
from tests.support.people import PASSWORD, People, Person


@pytest.fixture(autouse=True)
async def nothing_recorded(uow: UnitOfWork, resources: Resources) -> None:
    """An empty outbox, which is rolled back after the test; refusals of other tests would merge with this one's."""
    await uow.session.exec(delete(OutboxMessage))
    await uow.session.commit()
    for key in await resources.redis.keys("audit:refusals:*"):
        await resources.redis.delete(key)


async def recorded(uow: UnitOfWork) -> list[dict[str, Any]]:
    rows = await uow.session.exec(select(OutboxMessage).order_by(col(OutboxMessage.id)))
    return [row.payload for row in rows.all()]


class TestRecording:
    async def test_a_change_has_actor_action_and_target(
        self, client: httpx.AsyncClient, people: People, admin: Person, uow: UnitOfWork
    ) -> None:
        user = await people.user()
        await client.patch(f"/api/v1/users/{user.id}", json={"name": "Else"}, headers=admin.headers)
        entry = (await recorded(uow))[-1]
        assert (entry["actor_id"], entry["action"], entry["target"], entry["result"]) == (
            str(admin.user.id),
            "PATCH:/api/v1/users/{userId}",
            {"userId": str(user.id)},
            "success",
        )

    async def test_a_refusal_is_recorded_as_well(
        self, client: httpx.AsyncClient, people: People, uow: UnitOfWork
    ) -> None:
        person = await people.create()
        await client.delete(f"/api/v1/users/{uuid4()}", headers=person.headers)
        entry = (await recorded(uow))[-1]
        assert (entry["actor_id"], entry["status"], entry["error"]) == (
            str(person.user.id),
            403,
            "auth.permission_denied",
        )

    @pytest.mark.parametrize("body", [{}, None])
    async def test_invalid_input_has_the_status_of_its_response(
        self, client: httpx.AsyncClient, admin: Person, uow: UnitOfWork, body: object
    ) -> None:
        response = await client.post("/api/v1/roles", json=body, headers=admin.headers)
        entry = (await recorded(uow))[-1]
        assert (response.status_code, entry["status"], entry["error"]) == (422, 422, response.json()["error"])

    async def test_an_error_of_the_framework_has_the_status_of_its_response(
        self, client: httpx.AsyncClient, admin: Person, uow: UnitOfWork, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(SessionService, "end_all", AsyncMock(side_effect=HTTPException(418)))
        response = await client.post("/api/v1/auth/logout/all", headers=admin.headers)
        entry = (await recorded(uow))[-1]
        assert (response.status_code, entry["status"], entry["error"]) == (418, 418, response.json()["error"])

    async def test_a_login_and_its_failure(self, client: httpx.AsyncClient, people: People, uow: UnitOfWork) -> None:
        user = await people.user()
        await log_in(client, user.username, "wrong")
        await log_in(client, user.username)
        entries = await recorded(uow)
        assert [(entry["result"], entry["details"]["username"]) for entry in entries] == [
            ("failure", user.username),
            ("success", user.username),
        ]

    async def test_a_reused_refresh_token(self, client: httpx.AsyncClient, people: People, uow: UnitOfWork) -> None:
        person = await people.create()
        headers = {**person.headers, "User-Agent": "another", "X-Refresh-Token": person.tokens.refresh_token}
        await client.post("/api/v1/auth/token/refresh", headers=headers)
        entry = (await recorded(uow))[-1]
        assert (entry["actor_id"], entry["status"]) == (str(person.user.id), 401)

    async def test_anonymous_requests_are_not(self, client: httpx.AsyncClient, uow: UnitOfWork) -> None:
        await client.post("/api/v1/roles", json={}, headers={"Authorization": "Bearer nonsense"})
        assert await recorded(uow) == []

    async def test_read_requests_are_not(self, client: httpx.AsyncClient, admin: Person, uow: UnitOfWork) -> None:
        await client.get("/api/v1/roles", headers=admin.headers)
        assert await recorded(uow) == []

    async def test_no_password_and_no_token_is_in_it(
        self, client: httpx.AsyncClient, people: People, admin: Person, uow: UnitOfWork
    ) -> None:
        user = await people.user()
        tokens = (await log_in(client, user.username)).json()["data"]
        body = await encrypted(client, "a new and long enough one")
        await client.put(f"/api/v1/users/{user.id}/password", json=body, headers=admin.headers)
        text = str(await recorded(uow))
        secrets = [PASSWORD, body["password"], tokens["accessToken"], tokens["refreshToken"]]
        assert [secret for secret in secrets if secret in text] == []

    async def test_a_rolled_back_change_is_not_recorded_as_success(
        self, client: httpx.AsyncClient, people: People, admin: Person, uow: UnitOfWork
    ) -> None:
        taken = await people.user()
        name = uuid4().hex
        body = {"name": "x", "username": taken.username, "email": f"{name}@example.com"}
        body |= await encrypted(client, "a new and long enough one")
        await client.post("/api/v1/users", json=body, headers=admin.headers)
        assert [(entry["result"], entry["status"]) for entry in await recorded(uow)] == [("failure", 409)]


class TestRelaying:
    async def test_moves_entries_to_mongodb(
        self, client: httpx.AsyncClient, admin: Person, uow: UnitOfWork, resources: Resources
    ) -> None:
        await client.post("/api/v1/auth/logout/all", headers=admin.headers)
        await AuditService(resources).relay(uow)
        entries = await AuditService(resources).entries.list({"actor_id": admin.user.id})
        assert [entry.action for entry in entries] == ["POST:/api/v1/auth/logout/all"]

    async def test_empties_the_outbox(
        self, client: httpx.AsyncClient, admin: Person, uow: UnitOfWork, resources: Resources
    ) -> None:
        await client.post("/api/v1/auth/logout/all", headers=admin.headers)
        await AuditService(resources).relay(uow)
        assert await recorded(uow) == []

    async def test_is_idempotent(
        self, client: httpx.AsyncClient, admin: Person, uow: UnitOfWork, resources: Resources
    ) -> None:
        await client.post("/api/v1/auth/logout/all", headers=admin.headers)
        message = (await uow.session.exec(select(OutboxMessage))).one()
        copy = message.model_dump()
        await AuditService(resources).relay(uow)
        uow.session.add(OutboxMessage(**copy))
        await uow.session.flush()
        await AuditService(resources).relay(uow)
        assert len(await AuditService(resources).entries.list({"actor_id": admin.user.id})) == 1


class TestReading:
    async def test_continues_after_the_previous_page(
        self, client: httpx.AsyncClient, admin: Person, uow: UnitOfWork, resources: Resources
    ) -> None:
        for _ in range(5):
            await client.delete("/api/v1/auth/sessions/none", headers=admin.headers)
        await AuditService(resources).relay(uow)
        seen, query = [], {"actorId": str(admin.user.id), "limit": "2"}
        for _ in range(3):
            data = (await client.get("/api/v1/audit-logs", params=query, headers=admin.headers)).json()["data"]
            seen += [record["id"] for record in data["records"]]
            query["cursor"] = data["nextCursor"]
        assert (len(set(seen)), seen) == (5, sorted(seen, reverse=True))

    async def test_needs_its_permission(self, client: httpx.AsyncClient, people: People) -> None:
        person = await people.create()
        assert (await client.get("/api/v1/audit-logs", headers=person.headers)).status_code == 403
