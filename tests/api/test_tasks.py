from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from src.core.unit_of_work import UnitOfWork
from src.models.task_run import RunState, TaskRun
from src.utils.date import utc_now
from tests.support.people import People, Person

PATH = "/api/v1/tasks"
SEND = f"POST:{PATH}/{{taskName}}/runs"


@pytest.fixture
async def runs(uow: UnitOfWork) -> list[TaskRun]:
    """Five failed runs of one task, oldest first; the arguments of the first were not stored."""
    now = utc_now()
    runs = [
        TaskRun(name="invoices.send", state=RunState.FAILURE, args=[number], error="ValueError: no", finished_at=now)
        for number in range(5)
    ]
    runs[0].is_complete = False
    uow.session.add_all(runs)
    await uow.session.commit()
    return runs


async def records(client: httpx.AsyncClient, person: Person, **query: Any) -> list[dict[str, Any]]:
    response = await client.get(f"{PATH}/runs", headers=person.headers, params=query)
    assert response.status_code == 200, response.text
    return list(response.json()["data"]["records"])


class TestCatalogue:
    async def test_tasks_list_their_parameters(self, client: httpx.AsyncClient, admin: Person) -> None:
        tasks = {task["name"]: task for task in (await client.get(PATH, headers=admin.headers)).json()["data"]}
        assert tasks["notices.announce"] == {
            "name": "notices.announce",
            "description": "Tell everyone online about a notice.",
            "requires": "POST:/api/v1/notices",
            "parameters": [
                {"name": "notice_id", "type": "str", "required": True, "jsonSchema": {"type": "string"}},
            ],
        }


@pytest.mark.usefixtures("runs")
class TestList:
    async def test_the_newest_run_is_first(self, client: httpx.AsyncClient, admin: Person) -> None:
        found = await records(client, admin, name="invoices.send")
        assert [run["args"] for run in found] == [[4], [3], [2], [1], [0]]

    async def test_cursors_lead_through_all_runs(self, client: httpx.AsyncClient, admin: Person) -> None:
        query: dict[str, Any] = {"name": "invoices.send", "limit": 3}
        first = (await client.get(f"{PATH}/runs", headers=admin.headers, params=query)).json()["data"]
        rest = await records(client, admin, **query, cursor=first["nextCursor"])
        assert [run["args"] for run in first["records"] + rest] == [[4], [3], [2], [1], [0]]

    @pytest.mark.parametrize("query", [{}, {"state": "FAILURE"}, {"queuedAt[gte]": "2026-01-01T00:00:00Z"}])
    async def test_it_is_the_one_that_was_queued_last(
        self, client: httpx.AsyncClient, admin: Person, runs: list[TaskRun], uow: UnitOfWork, query: dict[str, str]
    ) -> None:
        """Whatever the ids are: those of scheduled runs are digests."""
        for run in runs[:4]:
            run.queued_at = utc_now() - timedelta(minutes=run.args[0])
        await uow.session.commit()
        order = [[0], [1], [2], [3]] + ([] if "queuedAt[gte]" in query else [[4]])  # of the last, it is not known
        page: dict[str, Any] = {"records": [], "nextCursor": ""}
        seen = []
        while page["nextCursor"] is not None:
            params = {**query, "name": "invoices.send", "limit": 2, "cursor": page["nextCursor"]}
            page = (await client.get(f"{PATH}/runs", headers=admin.headers, params=params)).json()["data"]
            seen += [run["args"] for run in page["records"]]
        assert seen == order

    @pytest.mark.parametrize(
        ("query", "count"),
        [
            ({"state": "FAILURE"}, 5),
            ({"state": "SUCCESS"}, 0),
            ({"scheduleId": str(uuid4())}, 0),
            ({"requestedBy": str(uuid4())}, 0),
            ({"queuedAt[lt]": "2000-01-01T00:00:00Z"}, 0),
        ],
    )
    async def test_filters(self, client: httpx.AsyncClient, admin: Person, query: dict[str, str], count: int) -> None:
        assert len(await records(client, admin, **query, name="invoices.send")) == count

    @pytest.mark.parametrize("query", [{"state": "LOST"}, {"limit": 0}, {"sort": "name"}, {"worker": "x"}])
    async def test_undeclared_parameters_are_422(
        self, client: httpx.AsyncClient, admin: Person, query: dict[str, Any]
    ) -> None:
        response = await client.get(f"{PATH}/runs", headers=admin.headers, params=query)
        assert response.status_code == 422


class TestOne:
    async def test_it_has_all_fields(self, client: httpx.AsyncClient, admin: Person, runs: list[TaskRun]) -> None:
        response = await client.get(f"{PATH}/runs/{runs[1].id}", headers=admin.headers)
        run = response.json()["data"]
        assert run.keys() == {
            *("taskId", "name", "state", "args", "kwargs", "attempts", "queuedAt", "startedAt", "finishedAt", "queue"),
            *("worker", "result", "error", "traceback", "progress", "scheduleId", "requestedBy", "requestId"),
            *("retryOf", "retriedBy", "attemptStarts"),
        }
        assert (run["taskId"], run["state"], run["error"]) == (str(runs[1].id), "FAILURE", "ValueError: no")

    @pytest.mark.parametrize(("method", "end"), [("GET", ""), ("POST", "/revoke"), ("POST", "/retry")])
    async def test_an_unknown_one_is_404(self, client: httpx.AsyncClient, admin: Person, method: str, end: str) -> None:
        response = await client.request(method, f"{PATH}/runs/{uuid4()}{end}", headers=admin.headers)
        assert response.status_code == 404


class TestRetry:
    async def test_it_returns_the_new_run(
        self, client: httpx.AsyncClient, admin: Person, runs: list[TaskRun], uow: UnitOfWork
    ) -> None:
        run = (await client.post(f"{PATH}/runs/{runs[1].id}/retry", headers=admin.headers)).json()["data"]
        assert (run["retryOf"], run["args"], run["state"]) == (str(runs[1].id), [1], "PENDING")
        assert run["requestedBy"] == str(admin.user.id)
        await uow.session.refresh(runs[1])
        assert runs[1].retried_by == UUID(run["taskId"])

    async def test_all_failed_runs_of_a_task_are_retried_once(
        self, client: httpx.AsyncClient, admin: Person, runs: list[TaskRun]
    ) -> None:
        body = {"name": runs[0].name}
        first = await client.post(f"{PATH}/runs/retry", headers=admin.headers, json=body)
        second = await client.post(f"{PATH}/runs/retry", headers=admin.headers, json=body)
        assert [len(response.json()["data"]) for response in (first, second)] == [4, 0]

    async def test_ids_or_a_name_are_required(self, client: httpx.AsyncClient, admin: Person) -> None:
        assert (await client.post(f"{PATH}/runs/retry", headers=admin.headers, json={})).status_code == 422

    async def test_a_run_without_its_arguments_is_409(
        self, client: httpx.AsyncClient, admin: Person, runs: list[TaskRun]
    ) -> None:
        response = await client.post(f"{PATH}/runs/{runs[0].id}/retry", headers=admin.headers)
        assert (response.status_code, response.json()["error"]) == (409, "tasks.arguments_not_kept")

    async def test_an_unfinished_run_is_409(self, client: httpx.AsyncClient, admin: Person, uow: UnitOfWork) -> None:
        run = TaskRun(name="invoices.send", state=RunState.STARTED, started_at=utc_now() - timedelta(minutes=1))
        uow.session.add(run)
        await uow.session.commit()
        response = await client.post(f"{PATH}/runs/{run.id}/retry", headers=admin.headers)
        assert (response.status_code, response.json()["error"]) == (409, "tasks.unfinished")


class TestSend:
    async def test_the_run_is_returned(self, client: httpx.AsyncClient, people: People, uow: UnitOfWork) -> None:
        sender = await people.create(SEND, "POST:/api/v1/notices")
        body = {"kwargs": {"notice_id": "x"}, "queue": f"test:{uuid4()}", "countdownSeconds": 3600}
        response = await client.post(f"{PATH}/notices.announce/runs", headers=sender.headers, json=body)
        run = response.json()["data"]
        assert (response.status_code, run["state"], run["requestedBy"]) == (201, "PENDING", str(sender.user.id))
        kept = await uow.session.get_one(TaskRun, UUID(run["taskId"]))
        assert (kept.name, kept.kwargs, kept.queue) == ("notices.announce", body["kwargs"], body["queue"])

    @pytest.mark.parametrize(
        ("name", "status", "error"),
        [
            ("no.such", 404, "resource.not_found"),
            ("outbox.relay", 403, "tasks.internal"),
            ("notices.announce", 403, "tasks.not_yours_to_start"),
        ],
    )
    async def test_the_tasks_own_permission_counts(
        self, client: httpx.AsyncClient, people: People, name: str, status: int, error: str
    ) -> None:
        sender = await people.create(SEND)
        response = await client.post(f"{PATH}/{name}/runs", headers=sender.headers, json={"args": ["x"]})
        assert (response.status_code, response.json()["error"]) == (status, error)

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "args"),
            ({"args": [7]}, "args.0"),
            ({"kwargs": {"notice_id": 7}}, "kwargs.notice_id"),
            ({"args": ["x"], "queue": "unacked"}, "queue"),
            ({"args": ["x"], "countdownSeconds": -1}, "countdownSeconds"),
        ],
    )
    async def test_invalid_arguments_are_422(
        self, client: httpx.AsyncClient, admin: Person, body: dict[str, Any], field: str
    ) -> None:
        response = await client.post(f"{PATH}/notices.announce/runs", headers=admin.headers, json=body)
        assert (response.status_code, response.json()["data"][0]["field"]) == (422, field)


class TestRevoke:
    async def test_several_at_once_have_a_result_each(
        self, client: httpx.AsyncClient, admin: Person, runs: list[TaskRun], uow: UnitOfWork
    ) -> None:
        waiting, unknown = TaskRun(name="invoices.send"), uuid4()
        uow.session.add(waiting)
        await uow.session.commit()
        body = {"taskIds": [str(task_id) for task_id in (unknown, waiting.id, runs[0].id)]}
        response = await client.post(f"{PATH}/runs/revoke", headers=admin.headers, json=body)
        assert [result["taskId"] for result in response.json()["data"]] == body["taskIds"]
        assert [result["outcome"] for result in response.json()["data"]] == ["unknown", "revoked", "finished"]

    async def test_a_finished_run_is_409(self, client: httpx.AsyncClient, admin: Person, runs: list[TaskRun]) -> None:
        response = await client.post(f"{PATH}/runs/{runs[0].id}/revoke", headers=admin.headers)
        assert (response.status_code, response.json()["error"]) == (409, "tasks.finished")

    async def test_a_run_that_has_not_started_can_be_revoked(
        self, client: httpx.AsyncClient, admin: Person, uow: UnitOfWork
    ) -> None:
        run = TaskRun(name="invoices.send")
        uow.session.add(run)
        await uow.session.commit()
        response = await client.post(f"{PATH}/runs/{run.id}/revoke", headers=admin.headers)
        assert response.status_code == 200

    async def test_it_needs_its_own_code(self, client: httpx.AsyncClient, people: People, runs: list[TaskRun]) -> None:
        reader = await people.create("GET:/api/v1/tasks/runs")
        response = await client.post(f"{PATH}/runs/{runs[0].id}/revoke", headers=reader.headers)
        assert response.status_code == 403
