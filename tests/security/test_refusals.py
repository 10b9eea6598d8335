"""Refused requests flood neither the audit log nor those who read it."""

import time
from textwrap import wrap
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlmodel import col, delete, select

from src.core.config.app import AppSettings
from src.core.resources import Resources
from src.core.stores.documents import Documents
from src.core.unit_of_work import UnitOfWork
from src.crud.refusal import INDIVIDUALLY, INDIVIDUALLY_IN_ALL, WINDOW_SECONDS
from src.main import app
from src.models.audit import AuditLog
from src.models.outbox import OutboxMessage
from src.services.audit import AuditService
from tests.support.people import People, Person


class Clock:
    """The clock of refusals: at the beginning of a window, which a test would otherwise cross."""

    def __init__(self) -> None:
        self.now = float(int(time.time()) // WINDOW_SECONDS * WINDOW_SECONDS)

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
async def empty_outbox(uow: UnitOfWork) -> None:
    """Rolled back after the test, like everything."""
    await uow.session.exec(delete(OutboxMessage))
    await uow.session.commit()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("src.crud.refusal.time.time", clock)
    return clock


@pytest.fixture
async def stranger(client: httpx.AsyncClient) -> httpx.AsyncClient:
    """A client with its own address, since refusals per address are counted beyond the test."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, client=(uuid4().hex, 1)), base_url="http://test")


async def recorded(uow: UnitOfWork) -> list[dict[str, Any]]:
    rows = await uow.session.exec(select(OutboxMessage).order_by(col(OutboxMessage.id)))
    return [row.payload for row in rows.all()]


async def refuse(client: httpx.AsyncClient, person: Person, times: int) -> list[int]:
    """Delete users without the permission."""
    path = f"/api/v1/users/{uuid4()}"
    return [(await client.delete(path, headers=person.headers)).status_code for _ in range(times)]


async def relayed(resources: Resources, uow: UnitOfWork, person: Person) -> list[AuditLog]:
    audit = AuditService(resources)
    await audit.relay(uow)
    return list(await audit.entries.list({"actor_id": person.user.id}, order=("id",)))


@pytest.mark.usefixtures("clock")
@pytest.mark.slow
class TestRow53RefusalsAreMerged:
    async def test_150_refusals_are_a_few_entries(
        self, stranger: httpx.AsyncClient, people: People, uow: UnitOfWork, resources: Resources, clock: Clock
    ) -> None:
        person = await people.create()
        assert set(await refuse(stranger, person, 150)) == {403}
        assert len(await recorded(uow)) == INDIVIDUALLY
        clock.now += WINDOW_SECONDS + 1
        entries = await relayed(resources, uow, person)
        assert sorted(entry.times for entry in entries) == [1] * INDIVIDUALLY + [150 - INDIVIDUALLY]
        merged = next(entry for entry in entries if entry.times > 1)
        assert (merged.action, merged.status, merged.error, merged.result) == (
            "DELETE:/api/v1/users/{userId}",
            403,
            "auth.permission_denied",
            "failure",
        )

    async def test_merging_is_written_once(
        self, stranger: httpx.AsyncClient, people: People, uow: UnitOfWork, resources: Resources, clock: Clock
    ) -> None:
        person = await people.create()
        await refuse(stranger, person, INDIVIDUALLY + 5)
        assert len(await relayed(resources, uow, person)) == INDIVIDUALLY  # the minute has not ended
        clock.now += WINDOW_SECONDS + 1
        assert len(await relayed(resources, uow, person)) == INDIVIDUALLY + 1
        assert len(await relayed(resources, uow, person)) == INDIVIDUALLY + 1

    async def test_a_worker_writes_merged_ones_first(
        self,
        stranger: httpx.AsyncClient,
        people: People,
        uow: UnitOfWork,
        resources: Resources,
        clock: Clock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """It has just started, and has used no document yet."""
        person = await people.create()
        await refuse(stranger, person, INDIVIDUALLY + 5)
        clock.now += WINDOW_SECONDS + 1
        monkeypatch.setattr(AuditLog, "_document_settings", None)
        monkeypatch.setattr(resources, "documents", Documents(resources.mongo))
        assert await AuditService(resources).relay_merged() >= 1

    async def test_spent_refresh_tokens_of_a_deleted_user(
        self, stranger: httpx.AsyncClient, people: People, uow: UnitOfWork
    ) -> None:
        person = await people.create()
        headers = {**person.headers, "X-Refresh-Token": person.tokens.refresh_token}
        await uow.session.delete(person.user)
        await uow.session.commit()
        codes = {(await stranger.post("/api/v1/auth/token/refresh", headers=headers)).status_code for _ in range(50)}
        assert (codes, len(await recorded(uow))) == ({401}, INDIVIDUALLY)

    async def test_invalid_input_of_any_login(
        self, stranger: httpx.AsyncClient, people: People, uow: UnitOfWork
    ) -> None:
        person = await people.create()
        for _ in range(50):
            await stranger.put("/api/v1/auth/password", json={}, headers=person.headers)
        assert len(await recorded(uow)) == INDIVIDUALLY

    async def test_failed_logins_without_an_account(self, stranger: httpx.AsyncClient, uow: UnitOfWork) -> None:
        for _ in range(50):
            form = {"username": uuid4().hex, "password": "wrong"}
            await stranger.post("/api/v1/auth/login/swagger", data=form)
        assert len(await recorded(uow)) == INDIVIDUALLY

    async def test_different_refusals_of_one_account_are_bounded_too(
        self, stranger: httpx.AsyncClient, people: People, uow: UnitOfWork
    ) -> None:
        person = await people.create()
        paths = [("POST", "roles"), ("POST", "users"), ("POST", "notices"), ("POST", "files"), ("POST", "schedules")]
        paths += [("DELETE", "roles"), ("POST", "schedules/preview"), ("POST", "tasks/runs/retry")]
        for method, path in paths * (INDIVIDUALLY - 1):
            await stranger.request(method, f"/api/v1/{path}", headers=person.headers)
        assert len(await recorded(uow)) == INDIVIDUALLY_IN_ALL

    async def test_successes_are_never_merged(
        self, stranger: httpx.AsyncClient, people: People, admin: Person, uow: UnitOfWork
    ) -> None:
        user = await people.user()
        for _ in range(INDIVIDUALLY + 5):
            await stranger.patch(f"/api/v1/users/{user.id}", json={"name": "Else"}, headers=admin.headers)
        assert len(await recorded(uow)) == INDIVIDUALLY + 5

    async def test_an_unreadable_merged_entry_blocks_no_others(
        self, stranger: httpx.AsyncClient, people: People, uow: UnitOfWork, resources: Resources, clock: Clock
    ) -> None:
        await resources.redis.zadd("audit:refusals:{audit}:merged", {"nonsense": 1})
        person = await people.create()
        await refuse(stranger, person, INDIVIDUALLY + 1)
        clock.now += WINDOW_SECONDS + 1
        assert len(await relayed(resources, uow, person)) == INDIVIDUALLY + 1
        assert await resources.redis.zcard("audit:refusals:{audit}:merged") == 0


@pytest.mark.usefixtures("clock")
class TestRow53RefusalsAreThrottled:
    @pytest.fixture(autouse=True)
    def limits(self, resources: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
        settings = AppSettings(REFUSALS_PER_ACCOUNT=5, REFUSALS_PER_ADDRESS=12)
        monkeypatch.setattr(resources.settings, "app", settings)

    async def test_per_account(self, stranger: httpx.AsyncClient, people: People) -> None:
        person = await people.create()
        assert await refuse(stranger, person, 7) == [403] * 5 + [429] * 2
        response = await stranger.delete(f"/api/v1/users/{uuid4()}", headers=person.headers)
        assert response.headers["Retry-After"] == "60"

    async def test_per_address(self, stranger: httpx.AsyncClient, people: People) -> None:
        codes = [code for _ in range(3) for code in await refuse(stranger, await people.create(), 5)]
        assert codes == [403] * 12 + [429] * 3

    async def test_per_ipv6_network(self, people: People) -> None:
        codes, network = [], ":".join(wrap(uuid4().hex[:16], 4))
        for number in range(3):
            transport = httpx.ASGITransport(app, client=(f"{network}::{number}", 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as at:
                codes += await refuse(at, await people.create(), 5)
        assert codes == [403] * 12 + [429] * 3

    async def test_what_is_allowed_goes_on(self, stranger: httpx.AsyncClient, people: People) -> None:
        person = await people.create()
        await refuse(stranger, person, 7)
        assert (await stranger.post("/api/v1/auth/logout", headers=person.headers)).status_code == 200

    async def test_a_minute_later_it_counts_anew(
        self, stranger: httpx.AsyncClient, people: People, clock: Clock
    ) -> None:
        person = await people.create()
        await refuse(stranger, person, 7)
        clock.now += WINDOW_SECONDS
        assert await refuse(stranger, person, 1) == [403]


@pytest.mark.slow
class TestRow53OthersAreNotDelayed:
    async def test_one_run_of_the_relay_moves_a_flood_and_what_follows(
        self, people: People, admin: Person, uow: UnitOfWork, resources: Resources
    ) -> None:
        entry = {"action": "x", "result": "success", "status": 200}
        rows = [{"topic": "audit", "payload": entry} for _ in range(3000)]
        await (await uow.session.connection()).execute(OutboxMessage.__table__.insert(), rows)  # type: ignore[attr-defined]  # of the table class
        last = {**entry, "actor_id": str(admin.user.id)}
        uow.session.add(OutboxMessage(topic="audit", payload=last))
        await uow.session.commit()
        assert len(await relayed(resources, uow, admin)) == 1
