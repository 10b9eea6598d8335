import json
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from src.core.unit_of_work import UnitOfWork
from src.models.schedule import Schedule, ScheduleKind
from src.utils.date import utc_now
from tests.queues.schedules import hourly_from_configuration, store
from tests.support.people import People, Person

PATH = "/api/v1/schedules"
TASK = {"task": "notices.announce", "kwargs": {"notice_id": "x"}}
INTERVAL = {**TASK, "kind": "interval", "every": 5, "period": "minutes"}
NESTED: list[Any] = []
for _ in range(40):
    NESTED = [NESTED]
TIMINGS: list[dict[str, Any]] = [
    {"kind": "interval", "every": 5, "period": "minutes"},
    {"kind": "crontab", "crontab": "*/5 * * * *", "timezone": "America/New_York"},
    {"kind": "solar", "event": "sunset", "latitude": 52.5, "longitude": 13.4},
    {"kind": "clocked", "clockedTime": "2999-01-01T00:00:00Z"},
    {"kind": "crontab", "crontab": "0 22-4 * nov-feb fri-mon", "timezone": "UTC"},
]


def body(**changes: Any) -> dict[str, Any]:
    return {"name": uuid4().hex, **INTERVAL, **changes}


async def create(client: httpx.AsyncClient, person: Person, **changes: Any) -> httpx.Response:
    # httpx refuses to send NaN and lone surrogates, but other clients do not.
    headers = {**person.headers, "Content-Type": "application/json"}
    return await client.post(PATH, headers=headers, content=json.dumps(body(**changes)))


@pytest.fixture
async def schedule_id(client: httpx.AsyncClient, admin: Person) -> str:
    return str((await create(client, admin)).json()["data"]["id"])


class TestCreate:
    @pytest.mark.parametrize("timing", TIMINGS, ids=lambda timing: timing["kind"])
    async def test_every_kind_is_stored_and_has_a_next_run(
        self, client: httpx.AsyncClient, admin: Person, timing: dict[str, Any]
    ) -> None:
        response = await client.post(PATH, headers=admin.headers, json={"name": uuid4().hex, **TASK, **timing})
        assert response.status_code == 201, response.text
        data = response.json()["data"]
        assert data.items() >= timing.items()
        assert datetime.fromisoformat(data["nextRunAt"]) > utc_now()
        assert (data["lastRunAt"], data["totalRunCount"], data["createdBy"]) == (None, 0, str(admin.user.id))

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"task": "no.such"}, "task"),
            ({"kwargs": {}}, "args"),
            ({"kwargs": {"notice_id": "x", "more": 1}}, "kwargs"),
            ({"kwargs": {"notice_id": 7}}, "kwargs.notice_id"),
            ({"every": None}, "every"),
            ({"every": 0}, "every"),
            ({"period": "weeks"}, "period"),
            ({"kind": "monthly"}, "kind"),
            ({"kind": "crontab"}, "crontab"),
            ({"kind": "crontab", "crontab": "61 * * * *"}, "crontab"),
            ({"kind": "crontab", "crontab": "0 0 30 2 *"}, "crontab"),
            ({"kind": "crontab", "crontab": "0 0 * * *", "timezone": "Mars/Olympus"}, "timezone"),
            ({"kind": "crontab", "crontab": "0 0 * * *", "timezone": "../etc/passwd"}, "timezone"),
            ({"kind": "solar", "event": "sunset", "latitude": 91, "longitude": 0}, "latitude"),
            ({"kind": "solar", "latitude": 1, "longitude": 0}, "event"),
            ({"kind": "clocked"}, "clockedTime"),
            ({"kind": "clocked", "clockedTime": "2001-01-01T00:00:00Z"}, "kind"),
            ({"kind": "clocked", "clockedTime": "2999-01-01T00:00:00"}, "clockedTime"),
            ({"startTime": "2998-01-01T00:00:00Z", "endTime": "2997-01-01T00:00:00Z"}, "endTime"),
            ({"endTime": "2001-01-01T00:00:00Z"}, "kind"),
            ({"misfirePolicy": "panic"}, "misfirePolicy"),
            ({"priority": 10}, "priority"),
            ({"maxRuns": 0}, "maxRuns"),
            ({"nextRunAt": "2999-01-01T00:00:00Z"}, "nextRunAt"),
            ({"name": ""}, "name"),
            ({"headers": {"id": "x"}}, "headers"),
            ({"headers": {"requested_by": "0197f7a0-0000-7000-8000-000000000000"}}, "headers"),
            ({"headers": {"_protected": 1}}, "headers"),
            ({"headers": {"tenant": ["a\x00b"]}}, "headers"),
            ({"kwargs": {"notice_id": {"a": ["\x00"]}}}, "kwargs"),
            ({"args": ["\ud800"], "kwargs": {}}, "args"),
            ({"args": [float("nan")], "kwargs": {}}, "args"),
            ({"args": [NESTED], "kwargs": {}}, "args"),
            ({"queue": "unacked"}, "queue"),
            ({"queue": "a b"}, "queue"),
            ({"every": 2**31}, "every"),
            ({"every": 2**31 - 1, "period": "days"}, "every"),
            ({"jitterSeconds": 901}, "jitterSeconds"),
        ],
    )
    async def test_invalid_fields_are_422_and_named(
        self, client: httpx.AsyncClient, admin: Person, changes: dict[str, Any], field: str
    ) -> None:
        response = await create(client, admin, **changes)
        assert response.status_code == 422, response.text
        assert [fault["field"] for fault in response.json()["data"]] == [field]

    async def test_a_name_that_is_taken_is_409(self, client: httpx.AsyncClient, admin: Person) -> None:
        assert (await create(client, admin, name="nightly")).status_code == 201
        assert (await create(client, admin, name="nightly")).status_code == 409


class TestUpdate:
    async def test_a_new_timing_clears_the_next_run(
        self, client: httpx.AsyncClient, admin: Person, schedule_id: str, uow: UnitOfWork
    ) -> None:
        row = await uow.session.get_one(Schedule, schedule_id)
        row.next_run_at = utc_now() + timedelta(minutes=5)
        await uow.session.commit()
        response = await client.patch(f"{PATH}/{schedule_id}", headers=admin.headers, json={"every": 1})
        await uow.session.refresh(row)
        assert response.json()["data"]["every"] == 1
        assert row.next_run_at is None

    async def test_other_changes_keep_the_next_run(
        self, client: httpx.AsyncClient, admin: Person, schedule_id: str, uow: UnitOfWork
    ) -> None:
        row = await uow.session.get_one(Schedule, schedule_id)
        row.next_run_at = planned = utc_now() + timedelta(minutes=5)
        await uow.session.commit()
        await client.patch(f"{PATH}/{schedule_id}", headers=admin.headers, json={"description": "d"})
        await uow.session.refresh(row)
        assert (row.description, row.next_run_at) == ("d", planned)

    async def test_it_is_disabled_and_enabled(self, client: httpx.AsyncClient, admin: Person, schedule_id: str) -> None:
        path = f"{PATH}/{schedule_id}"
        off = await client.patch(path, headers=admin.headers, json={"enabled": False})
        on = await client.patch(path, headers=admin.headers, json={"enabled": True})
        assert off.json()["data"]["nextRunAt"] is None
        assert on.json()["data"]["nextRunAt"] is not None

    @pytest.mark.parametrize(
        "changes",
        [{"kind": "crontab"}, {"every": None}, {"kwargs": {}}, {"task": "no.such"}, {"name": None}, {"id": 1}],
    )
    async def test_an_invalid_result_is_422(
        self, client: httpx.AsyncClient, admin: Person, schedule_id: str, changes: dict[str, Any]
    ) -> None:
        response = await client.patch(f"{PATH}/{schedule_id}", headers=admin.headers, json=changes)
        assert response.status_code == 422

    async def test_a_one_off_that_has_passed_can_be_described_but_not_enabled(
        self, client: httpx.AsyncClient, admin: Person, uow: UnitOfWork
    ) -> None:
        row = Schedule(
            name=uuid4().hex,
            task="notices.announce",
            kwargs={"notice_id": "x"},
            kind=ScheduleKind.CLOCKED,
            clocked_time=utc_now() - timedelta(days=1),
            enabled=False,
            last_run_at=utc_now() - timedelta(days=1),
        )
        uow.session.add(row)
        await uow.session.commit()
        path = f"{PATH}/{row.id}"
        described = await client.patch(path, headers=admin.headers, json={"description": "done"})
        enabled = await client.patch(path, headers=admin.headers, json={"enabled": True})
        assert (described.status_code, enabled.status_code) == (200, 422)
        assert enabled.json()["data"][0]["field"] == "kind"

    async def test_one_that_reached_max_runs_needs_more_to_be_enabled(
        self, client: httpx.AsyncClient, admin: Person, schedule_id: str, uow: UnitOfWork
    ) -> None:
        row = await uow.session.get_one(Schedule, schedule_id)
        row.enabled, row.max_runs, row.total_run_count = False, 3, 3
        await uow.session.commit()
        path = f"{PATH}/{schedule_id}"
        again = await client.patch(path, headers=admin.headers, json={"enabled": True})
        more = await client.patch(path, headers=admin.headers, json={"enabled": True, "maxRuns": 4})
        assert (again.status_code, again.json()["data"][0]["field"]) == (422, "maxRuns")
        assert (more.status_code, more.json()["data"]["enabled"]) == (200, True)

    async def test_one_from_the_configuration_can_only_be_enabled_and_disabled(
        self, client: httpx.AsyncClient, admin: Person, uow: UnitOfWork
    ) -> None:
        row = hourly_from_configuration("system.ping")
        await store(uow.session, row)
        path = f"{PATH}/{row.id}"
        responses = [
            await client.patch(path, headers=admin.headers, json={"enabled": False}),
            await client.patch(path, headers=admin.headers, json={"every": 2}),
            await client.delete(path, headers=admin.headers),
        ]
        assert [response.status_code for response in responses] == [200, 409, 409]


class TestOthers:
    async def test_a_page_of_them(self, client: httpx.AsyncClient, admin: Person) -> None:
        for number in range(3):
            await create(client, admin, name=f"page me {number}")
        query = {"keyword": "page me", "sort": "-name", "pageSize": "2"}
        data = (await client.get(PATH, headers=admin.headers, params=query)).json()["data"]
        assert ([row["name"] for row in data["records"]], data["total"]) == (["page me 2", "page me 1"], 3)

    async def test_it_is_not_found_after_its_deletion(
        self, client: httpx.AsyncClient, admin: Person, schedule_id: str
    ) -> None:
        path = f"{PATH}/{schedule_id}"
        codes = [
            (await client.request(method, path, headers=admin.headers)).status_code
            for method in ("GET", "DELETE", "GET", "DELETE")
        ]
        assert codes == [200, 200, 404, 404]

    async def test_running_it_now_returns_the_run(
        self, client: httpx.AsyncClient, admin: Person, schedule_id: str
    ) -> None:
        response = await client.post(f"{PATH}/{schedule_id}/run", headers=admin.headers)
        run = response.json()["data"]
        assert (run["name"], run["kwargs"], run["scheduleId"]) == ("notices.announce", {"notice_id": "x"}, schedule_id)
        history = await client.get("/api/v1/tasks/runs", headers=admin.headers, params={"scheduleId": schedule_id})
        assert [record["taskId"] for record in history.json()["data"]["records"]] == [run["taskId"]]

    async def test_a_disabled_one_can_be_run_and_stays_disabled(
        self, client: httpx.AsyncClient, admin: Person, schedule_id: str
    ) -> None:
        path = f"{PATH}/{schedule_id}"
        await client.patch(path, headers=admin.headers, json={"enabled": False})
        run = await client.post(f"{path}/run", headers=admin.headers)
        assert (run.status_code, run.json()["data"]["requestedBy"]) == (200, str(admin.user.id))
        assert (await client.get(path, headers=admin.headers)).json()["data"]["enabled"] is False

    async def test_a_reader_may_not_run_it(self, client: httpx.AsyncClient, people: People, schedule_id: str) -> None:
        reader = await people.create("GET:/api/v1/schedules")
        assert (await client.post(f"{PATH}/{schedule_id}/run", headers=reader.headers)).status_code == 403


class TestPreview:
    async def preview(self, client: httpx.AsyncClient, person: Person, **changes: Any) -> httpx.Response:
        return await client.post(f"{PATH}/preview", headers=person.headers, json=changes)

    @pytest.mark.parametrize("timing", TIMINGS[:3], ids=lambda timing: timing["kind"])
    async def test_the_next_runs(self, client: httpx.AsyncClient, admin: Person, timing: dict[str, Any]) -> None:
        response = await self.preview(client, admin, **timing, count=4)
        runs = [datetime.fromisoformat(run) for run in response.json()["data"]]
        assert len(runs) == 4
        assert utc_now() < runs[0] < runs[1] < runs[2] < runs[3]

    async def test_accepts_the_body_of_a_schedule(self, client: httpx.AsyncClient, admin: Person) -> None:
        response = await self.preview(client, admin, **body(), count=2)
        assert len(response.json()["data"]) == 2

    async def test_a_one_off_has_one(self, client: httpx.AsyncClient, admin: Person) -> None:
        response = await self.preview(client, admin, **TIMINGS[3])
        assert response.json()["data"] == ["2999-01-01T00:00:00Z"]

    async def test_daylight_saving_time_is_applied(self, client: httpx.AsyncClient, admin: Person) -> None:
        start = "2027-03-13T12:00:00Z"
        timing = {"kind": "crontab", "crontab": "30 2 * * *", "timezone": "America/New_York", "startTime": start}
        response = await self.preview(client, admin, **timing, count=2)
        assert response.json()["data"] == ["2027-03-14T07:00:00Z", "2027-03-15T06:30:00Z"]

    @pytest.mark.parametrize("count", [0, 101])
    async def test_the_count_is_limited(self, client: httpx.AsyncClient, admin: Person, count: int) -> None:
        assert (await self.preview(client, admin, **TIMINGS[0], count=count)).status_code == 422


class TestPause:
    async def test_shows_who_did_it_and_why_until_it_is_resumed(
        self, client: httpx.AsyncClient, admin: Person, schedule_id: str
    ) -> None:
        url, reason = f"{PATH}/{schedule_id}", {"reason": "The supplier is away."}
        paused = (await client.post(f"{url}/pause", json=reason, headers=admin.headers)).json()["data"]
        listed = (await client.get(url, headers=admin.headers)).json()["data"]
        resumed = (await client.post(f"{url}/resume", headers=admin.headers)).json()["data"]
        shown = [
            [row[name] for name in ("enabled", "pauseReason", "pausedBy")] + [row["nextRunAt"] is None]
            for row in (paused, listed, resumed)
        ]
        assert shown == [*[[False, reason["reason"], str(admin.user.id), True]] * 2, [True, None, None, False]]

    async def test_is_possible_for_schedules_of_the_configuration(
        self, client: httpx.AsyncClient, admin: Person, uow: UnitOfWork
    ) -> None:
        schedule = hourly_from_configuration("system.ping")
        await store(uow.session, schedule)
        response = await client.post(f"{PATH}/{schedule.id}/pause", json={"reason": "x"}, headers=admin.headers)
        assert (response.status_code, response.json()["data"]["enabled"]) == (200, False)

    async def test_needs_a_reason(self, client: httpx.AsyncClient, admin: Person, schedule_id: str) -> None:
        response = await client.post(f"{PATH}/{schedule_id}/pause", json={"reason": ""}, headers=admin.headers)
        assert response.status_code == 422

    async def test_of_somebody_elses_needs_a_permission(
        self, client: httpx.AsyncClient, people: People, schedule_id: str
    ) -> None:
        codes = [f"POST:{PATH}/{{scheduleId}}/{verb}" for verb in ("pause", "resume")]
        clerk, manager = await people.create(*codes), await people.create(*codes, "schedules.manage")
        body = {"reason": "x"}
        refused = await client.post(f"{PATH}/{schedule_id}/pause", json=body, headers=clerk.headers)
        paused = await client.post(f"{PATH}/{schedule_id}/pause", json=body, headers=manager.headers)
        resumed = await client.post(f"{PATH}/{schedule_id}/resume", headers=manager.headers)
        assert [answer.status_code for answer in (refused, paused, resumed)] == [403, 200, 403]
        assert resumed.json()["error"] == "tasks.not_yours_to_start"
