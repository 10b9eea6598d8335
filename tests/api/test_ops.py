"""The overview of all processes, and the last hour, from what each process has reported."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from src.core.ops.figures import Figures
from src.core.ops.report import KEPT, PROCESSES, ProcessReport, minute_key, minute_of, report_commands
from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.crud.process_report import ProcessReportCRUD
from src.models.outbox import OutboxMessage
from src.models.task_run import RunState, TaskRun
from src.services.process_reporter import ProcessReporter, reporting
from src.utils.date import utc_now
from tests.queues.schedules import hourly_from_configuration
from tests.support.people import People, Person
from tests.support.waiting import eventually

PATH = "/api/v1/ops/overview"
BOUNDS = [0.1, 1.0]


async def forget_reports(resources: Resources) -> None:
    await resources.redis.delete("ops:none", *[key async for key in resources.redis.scan_iter("ops:*", count=1000)])


def report_often(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    often = resources.settings.app.model_copy(update={"ops_report_seconds": 0.01})
    monkeypatch.setattr(resources.settings, "app", often)


@pytest.fixture
async def reports(resources: Resources) -> AsyncIterator[ProcessReportCRUD]:
    """Reports of processes, of which there are none yet."""
    await forget_reports(resources)
    yield ProcessReportCRUD(resources.redis)
    await forget_reports(resources)


async def overview(client: httpx.AsyncClient, admin: Person) -> Any:
    response = await client.get(PATH, headers=admin.headers)
    assert response.status_code == 200, response.text
    return response.json()["data"]


def worker(name: str, **fields: Any) -> ProcessReport:
    return ProcessReport(kind="worker", name=name, **fields)


def of_requests(**series: list[int]) -> dict[str, Figures]:
    """Requests by route: their count, errors, client errors, and how many took up to 0.1 s, up to 1 s, and longer."""
    return {"requests": Figures(bounds=BOUNDS, series=series)}


async def test_reports_of_another_version_are_left_out(
    client: httpx.AsyncClient, admin: Person, resources: Resources, reports: ProcessReportCRUD
) -> None:
    now = utc_now()
    await reports.write(worker("readable"), minute_of(now), of_requests(route=[1, 0, 0, 1, 0, 0]))
    await resources.redis.hset(PROCESSES, "other", '{"kind": "relay", "name": "other"}')
    await resources.redis.hset(minute_key(minute_of(now)), "other", '{"requests": 1}')
    await reports.remove_old(now)
    data = await overview(client, admin)
    assert [each["name"] for each in data["workers"]] == ["readable"]
    assert data["requests"]["count"] == 1


class TestTraffic:
    async def test_of_all_processes_is_added_up_by_route(
        self, client: httpx.AsyncClient, admin: Person, reports: ProcessReportCRUD
    ) -> None:
        now = minute_of(utc_now())
        await reports.write(worker("a"), now, of_requests(fast=[10, 0, 1, 10, 0, 0], slow=[2, 1, 0, 0, 2, 0]))
        await reports.write(worker("b"), now - 1, of_requests(fast=[10, 0, 0, 10, 0, 0]))
        await reports.write(worker("c"), now - 61, of_requests(fast=[99, 0, 0, 99, 0, 0]))
        seen = await overview(client, admin)
        assert [(route["route"], route["count"]) for route in seen["requests"]["routes"]] == [("fast", 20), ("slow", 2)]
        assert [seen["requests"][name] for name in ("count", "errors", "clientErrors")] == [22, 1, 1]
        assert [seen["requests"]["routes"][0][name] for name in ("p50Ms", "p95Ms", "p99Ms")] == [50, 95, 99]
        assert (len(seen["history"]), sum(minute["requests"] for minute in seen["history"][-3:])) == (60, 22)

    async def test_is_counted_from_the_requests_of_this_process(
        self, client: httpx.AsyncClient, admin: Person, resources: Resources, reports: ProcessReportCRUD
    ) -> None:
        reporter = ProcessReporter(resources)
        for path in ("/api/v1/roles", "/api/v1/roles?page=x", "/nowhere"):
            await client.get(path, headers=admin.headers)
        await reporter.report()
        seen = await overview(client, admin)
        routes = {route["route"]: (route["count"], route["clientErrors"]) for route in seen["requests"]["routes"]}
        assert routes == {"GET:/api/v1/roles": (2, 1), "other": (1, 1)}
        (api,) = seen["apis"]
        assert (api["alive"], seen["pools"][0]["process"], seen["pools"][0]["name"]) == (True, api["name"], "postgres")

    async def test_of_a_new_minute_begins_with_what_came_after_the_last_report(
        self,
        client: httpx.AsyncClient,
        admin: Person,
        resources: Resources,
        reports: ProcessReportCRUD,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        now = utc_now()
        reporter = ProcessReporter(resources)
        for later in (timedelta(0), timedelta(minutes=1)):
            monkeypatch.setattr("src.services.process_reporter.utc_now", lambda later=later: now + later)
            await client.get("/nowhere")
            await reporter.report()
        _, minutes = await reports.read(now + timedelta(minutes=1))
        counts = [figures["requests"].series["other"][0] for minute in minutes for figures in minute.figures]
        assert counts == [1, 1]

    async def test_takes_three_commands_and_expires(self, reports: ProcessReportCRUD, resources: Resources) -> None:
        minute, figures = minute_of(utc_now()), of_requests(fast=[1, 0, 0, 1, 0, 0])
        assert len(report_commands(worker("a"), minute, figures)) == 3
        await reports.write(worker("a"), minute, figures)
        assert 0 < await resources.redis.ttl(minute_key(minute)) <= KEPT.total_seconds() + 60


class TestProcesses:
    async def test_report_until_they_end(
        self, resources: Resources, reports: ProcessReportCRUD, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        report_often(resources, monkeypatch)
        async with reporting(resources):
            await eventually(lambda: resources.redis.hlen(PROCESSES))
        assert await resources.redis.hlen(PROCESSES) == 0

    async def test_end_with_their_last_report(
        self, resources: Resources, reports: ProcessReportCRUD, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        report_often(resources, monkeypatch)
        write, written = ProcessReportCRUD.write, asyncio.Event()

        async def write_slowly(*args: Any) -> None:
            written.set()
            # As Redis, which stores what it has received although the sender no longer waits.
            await asyncio.shield(asyncio.create_task(write_later(*args)))

        async def write_later(*args: Any) -> None:
            await asyncio.sleep(0.05)
            await write(*args)

        monkeypatch.setattr(ProcessReportCRUD, "write", write_slowly)
        async with reporting(resources):
            await written.wait()
        await asyncio.sleep(0.1)
        assert await resources.redis.hlen(PROCESSES) == 0

    async def test_report_again_after_an_outage(
        self, resources: Resources, reports: ProcessReportCRUD, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        report_often(resources, monkeypatch)
        failures = iter([ConnectionError("away"), ValueError("a fault of ours")])
        write = ProcessReportCRUD.write

        async def fail_first(*args: Any) -> None:
            if error := next(failures, None):
                raise error
            await write(*args)

        monkeypatch.setattr(ProcessReportCRUD, "write", fail_first)
        async with reporting(resources):
            await eventually(lambda: resources.redis.hlen(PROCESSES))

    async def test_show_their_last_sign_of_life(
        self, client: httpx.AsyncClient, admin: Person, reports: ProcessReportCRUD, uow: UnitOfWork
    ) -> None:
        silent = utc_now() - timedelta(minutes=2)
        await reports.write(worker("w1", queues=["celery", "slow"], reserved={"slow": 3}), 0, {})
        await reports.write(worker("w2", queues=["celery"], reserved={"celery": 9}, seen_at=silent), 0, {})
        await reports.write(ProcessReport(kind="beat", name="beat@x"), 0, {})
        uow.session.add(TaskRun(name="a", state=RunState.STARTED, worker="lost@x"))
        await uow.session.commit()
        seen = await overview(client, admin)
        assert [(row["name"], row["alive"], row["running"], row["reserved"]) for row in seen["workers"]] == [
            ("lost@x", False, 1, 0),
            ("w1", True, 0, 3),
            ("w2", False, 0, 9),
        ]
        assert [(row["name"], row["alive"]) for row in seen["beats"]] == [("beat@x", True)]
        assert {"name": "slow", "waiting": 0, "reserved": 3} in seen["queues"]

    async def test_that_died_are_forgotten_after_an_hour(
        self, reports: ProcessReportCRUD, resources: Resources
    ) -> None:
        old = utc_now() - KEPT - timedelta(seconds=1)
        await reports.write(worker("old", seen_at=old), 0, {})
        await reports.write(worker("new"), 0, {})
        await reports.remove_old(utc_now())
        assert await resources.redis.hkeys(PROCESSES) == ["new"]


class TestCounts:
    async def test_of_queues_runs_schedules_and_outbox(
        self, client: httpx.AsyncClient, admin: Person, reports: ProcessReportCRUD, uow: UnitOfWork
    ) -> None:
        before = await overview(client, admin)
        late, paused = (hourly_from_configuration("system.ping") for _ in range(2))
        late.next_run_at = utc_now() - timedelta(minutes=2)
        paused.enabled, paused.pause_reason = False, "x"
        uow.session.add_all([late, paused, OutboxMessage(topic="mail", payload={})])
        await uow.session.commit()
        await reports.count_runs({"SUCCESS": 3, "FAILURE": 1})
        await reports.count_runs({"SUCCESS": 1})
        seen = await overview(client, admin)
        changed = {name: seen["schedules"][name] - before["schedules"][name] for name in seen["schedules"]}
        assert changed == {"enabled": 1, "paused": 1, "due": 1, "late": 1}
        assert [(row["topic"], row["waiting"]) for row in seen["outbox"] if row["topic"] == "mail"] == [("mail", 1)]
        assert (seen["runs"]["success"], seen["runs"]["failure"]) == (4, 1)
        assert "celery" in [queue["name"] for queue in seen["queues"]]

    async def test_of_stores_show_which_respond(self, client: httpx.AsyncClient, admin: Person) -> None:
        stores = (await overview(client, admin))["stores"]
        assert {store["name"] for store in stores} >= {"postgres", "redis", "mongo", "s3", "broker"}
        assert all(store["available"] for store in stores), stores

    async def test_need_a_permission(self, client: httpx.AsyncClient, people: People) -> None:
        assert (await client.get(PATH, headers=(await people.create()).headers)).status_code == 403
