"""Whoever watches sees every run and schedule, and loses that with the permission."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from celery import states
from sqlmodel import delete

from src.core.realtime.event_bus import EventBus
from src.core.realtime.presence import is_anyone_in
from src.core.realtime.rooms import OPS_ROOM
from src.core.resources import Resources
from src.core.tasks.run_event import STREAM, RunEvent
from src.crud.run_event import RunEventCRUD
from src.main import server
from src.models.task_run import TaskRun
from src.services.process_reporter import ProcessReporter
from src.services.task_run import TaskRunService
from src.websockets.testing import Received, SocketClient
from tests.api.test_ops import forget_reports
from tests.support.people import People, Person
from tests.support.waiting import eventually
from tests.websockets.conftest import Visit

WATCH = "SOCKET:runs.watch"


@pytest.fixture
async def record(resources: Resources) -> AsyncIterator[Any]:
    """Report a run as a worker does, and persist it as `tasks.record` does."""

    async def report(**event: Any) -> None:
        await RunEventCRUD(resources.redis).add(RunEvent(**event))
        async with resources.unit_of_work() as uow:
            await TaskRunService(uow, resources).record()

    await resources.redis.delete(STREAM)
    yield report
    await resources.redis.delete(STREAM)
    async with resources.engine.begin() as connection:
        await connection.execute(delete(TaskRun))


@pytest.fixture
async def reporter(resources: Resources) -> AsyncIterator[ProcessReporter]:
    """What announces the overview; this process only does it on demand."""
    await forget_reports(resources)
    reporter = ProcessReporter(resources)
    reporter.interval = 60
    yield reporter
    await forget_reports(resources)


@pytest.fixture
async def watcher(people: People, visit: Visit, resources: Resources) -> SocketClient:
    client = await visit(await people.create(WATCH))
    assert await client.call("runs.watch") is None
    await eventually(lambda: is_anyone_in(resources.redis, OPS_ROOM))
    return client


async def _next(client: SocketClient, name: str) -> Received:
    """The next event of this name."""
    while (received := await client.receive()).event != name:
        pass
    return received


class TestRuns:
    async def test_of_anybody_are_shown_with_their_progress(self, watcher: SocketClient, record: Any) -> None:
        run = uuid4()
        await record(id=run, name="files.sweep", state=states.STARTED, schedule_id=uuid4())
        await record(id=run, progress={"done": 1, "total": 2, "note": ""})
        await record(id=run, state=states.SUCCESS, result=7)
        seen = [await _next(watcher, "run.changed") for _ in range(3)]
        assert {(event, data["taskId"], data["name"]) for event, data in seen} == {
            ("run.changed", str(run), "files.sweep")
        }
        assert [data["state"] for _, data in seen] == ["STARTED", "STARTED", "SUCCESS"]
        assert (seen[1].data["progress"]["done"], seen[2].data["result"]) == (1, 7)

    @pytest.mark.slow
    async def test_are_bounded(self, watcher: SocketClient, record: Any, resources: Resources) -> None:
        for number in range(150):
            await RunEventCRUD(resources.redis).add(RunEvent(id=uuid4(), name=str(number), state=states.STARTED))
        await record(id=uuid4(), name="last", state=states.STARTED)
        names = [(await watcher.receive()).data["name"] for _ in range(100)]
        assert names[-1] == "last"
        await watcher.call("runs.watch", False)
        assert [event for event, _ in watcher.waiting] == []

    async def test_are_counted_by_state_and_worker(
        self, watcher: SocketClient, record: Any, reporter: ProcessReporter
    ) -> None:
        for _ in range(2):
            await record(id=uuid4(), name="a", state=states.STARTED, worker="celery@one")
        await record(id=uuid4(), name="a", state=states.RETRY, worker="celery@one")
        await record(id=uuid4(), name="a", state=states.SUCCESS, worker="celery@one")
        await reporter.announce()
        overview: Any = (await _next(watcher, "ops.overview")).data
        counts = {"pending": 0, "started": 2, "retry": 1, "success": 1, "failure": 0, "revoked": 0}
        assert overview["runs"] == counts
        assert [(worker["name"], worker["running"]) for worker in overview["workers"]] == [("celery@one", 2)]
        assert "history" not in overview

    async def test_are_announced_by_one_process_of_many(
        self, watcher: SocketClient, resources: Resources, reporter: ProcessReporter
    ) -> None:
        other = ProcessReporter(resources)
        other.interval = reporter.interval
        await asyncio.gather(reporter.announce(), other.announce())
        await _next(watcher, "ops.overview")
        await watcher.call("runs.watch", False)
        assert [event for event, _ in watcher.waiting] == []

    async def test_cost_nothing_while_nobody_watches(
        self, people: People, visit: Visit, record: Any, reporter: ProcessReporter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client = await visit(await people.create(WATCH))
        published: list[Any] = []

        async def publish(_bus: object, message: Any) -> None:
            published.append(message)

        monkeypatch.setattr(EventBus, "publish", publish)
        await client.call("runs.watch")
        await client.call("runs.watch", False)
        assert server.presence
        await server.presence.flush()
        await reporter.announce()
        await record(id=uuid4(), name="a", state=states.STARTED)
        assert published == []


class TestSchedules:
    async def test_are_shown_when_they_change(
        self, watcher: SocketClient, client: httpx.AsyncClient, admin: Person
    ) -> None:
        body = {"name": f"s-{uuid4()}", "task": "system.ping", "kind": "interval", "every": 5, "period": "minutes"}
        created = (await client.post("/api/v1/schedules", json=body, headers=admin.headers)).json()["data"]
        url = f"/api/v1/schedules/{created['id']}"
        await client.patch(url, json={"enabled": False}, headers=admin.headers)
        await client.delete(url, headers=admin.headers)
        seen = [await watcher.receive() for _ in range(3)]
        assert [event for event, _ in seen] == ["schedule.changed", "schedule.changed", "schedule.deleted"]
        assert [data.get("enabled") for _, data in seen] == [True, False, None]
        assert {data["id"] for _, data in seen} == {created["id"]}


class TestPermission:
    async def test_is_needed(self, people: People, visit: Visit) -> None:
        assert (await (await visit(await people.create())).call("runs.watch"))["code"] == 1008

    async def test_is_not_needed_for_a_session_id_that_begins_like_the_room(
        self, people: People, visit: Visit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(server.eio, "generate_id", lambda: OPS_ROOM + uuid4().hex)
        client = await visit(await people.create())
        await server.clients.recheck()
        assert (await client.call("runs.watch"))["code"] == 1008  # it is still connected

    async def test_is_checked_again(
        self, people: People, visit: Visit, client: httpx.AsyncClient, admin: Person
    ) -> None:
        person = await people.create(WATCH)
        watcher = await visit(person)
        await watcher.call("runs.watch")
        url = f"/api/v1/users/{person.user.id}/roles"
        assert (await client.put(url, json={"roles": []}, headers=admin.headers)).status_code == 200
        assert (await watcher.receive()).data["error"] == "auth.session_ended"
        assert await watcher.disconnected() == "io server disconnect"

    async def test_is_checked_when_its_role_changes(
        self, people: People, visit: Visit, client: httpx.AsyncClient, admin: Person
    ) -> None:
        person = await people.create(WATCH)
        watcher = await visit(person)
        await watcher.call("runs.watch")
        roles = (await client.get("/api/v1/roles/all", headers=admin.headers)).json()["data"]
        role = next(role for role in roles if WATCH in role.get("interfacePermissions", []))
        url = f"/api/v1/roles/{role['id']}"
        answer = await client.put(url, json={"interfacePermissions": []}, headers=admin.headers)
        assert answer.status_code == 200, answer.text
        assert (await watcher.receive()).data["error"] == "auth.session_ended"
