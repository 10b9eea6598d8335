"""Nobody starts a task beyond their permissions: by a schedule, at each of its runs, by hand, or by a retry."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import Delete, Update
from sqlmodel import col, delete, select, update
from sqlmodel.ext.asyncio.session import AsyncSession

from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.main import rest
from src.models.role import Role
from src.models.schedule import IntervalPeriod, Schedule, ScheduleKind, ScheduleOrigin
from src.models.task_run import RunState, TaskRun
from src.models.user import User, UserRole
from src.queues.app import app
from src.queues.publisher import read_catalog
from src.queues.scheduler import AsyncDatabaseScheduler
from src.utils.date import utc_now
from tests.queues.schedules import Queue, empty_table, hourly_from_configuration, store
from tests.support.people import People, Person

PATH = "/api/v1/schedules"
TASK = "notices.announce"
REQUIRED = "POST:/api/v1/notices"
INTERNAL = ["files.reconcile", "files.sweep", "notices.expire", "outbox.relay", "tasks.prune", "tasks.record"]
CREATE, CHANGE, RUN = f"POST:{PATH}", f"PATCH:{PATH}/{{scheduleId}}", f"POST:{PATH}/{{scheduleId}}/run"
DELETE = f"DELETE:{PATH}/{{scheduleId}}"
RETRY, RETRY_ALL = "POST:/api/v1/tasks/runs/{taskId}/retry", "POST:/api/v1/tasks/runs/retry"
DENIED = (403, "tasks.not_yours_to_start")
FOREIGN = (403, "auth.not_yours")


def body(task: str = TASK, **fields: Any) -> dict[str, Any]:
    kwargs = {"notice_id": "x"} if task == TASK else {}
    timing = {"kind": "interval", "every": 1, "period": "hours"}
    return {"name": uuid4().hex, "task": task, "kwargs": kwargs, **timing, **fields}


def outcome(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json().get("error", "")


async def create(client: httpx.AsyncClient, person: Person, **fields: Any) -> str:
    """The path of a new schedule."""
    response = await client.post(PATH, json=body(**fields), headers=person.headers)
    assert response.status_code == 201, response.text
    return f"{PATH}/{response.json()['data']['id']}"


def test_every_required_permission_exists() -> None:
    app.autodiscover_tasks(["src.queues.tasks"], force=True)  # also of features that are off here
    codes = {route.code for route in rest.state.registry.grantable}
    required = {task.requires for task in read_catalog(app).values() if task.name.split(".")[0] != "sample"}
    assert required - {None} <= codes


class TestRow56SchedulesActWithTheirAuthorsPermissions:
    async def test_creating_one_takes_the_permission_of_the_task(
        self, client: httpx.AsyncClient, people: People
    ) -> None:
        weak, strong = await people.create(CREATE), await people.create(CREATE, REQUIRED)
        assert outcome(await client.post(PATH, json=body(), headers=weak.headers)) == DENIED
        assert (await client.post(PATH, json=body(), headers=strong.headers)).status_code == 201

    @pytest.mark.parametrize("task", INTERNAL)
    async def test_nobody_schedules_an_internal_task(self, client: httpx.AsyncClient, admin: Person, task: str) -> None:
        response = await client.post(PATH, json=body(task), headers=admin.headers)
        assert outcome(response) == (403, "tasks.internal")

    @pytest.mark.parametrize("changes", [{"task": TASK, "kwargs": {"notice_id": "x"}}, {"every": 2}, {"enabled": True}])
    async def test_changing_one_takes_it_too(
        self, client: httpx.AsyncClient, people: People, admin: Person, changes: dict[str, Any]
    ) -> None:
        path = await create(client, admin)
        manager = await people.create(CHANGE, "schedules.manage")
        assert outcome(await client.patch(path, json=changes, headers=manager.headers)) == DENIED

    async def test_whoever_may_change_one_may_stop_it(
        self, client: httpx.AsyncClient, people: People, admin: Person
    ) -> None:
        path = await create(client, admin)
        manager = await people.create(CHANGE, "schedules.manage")
        assert (await client.patch(path, json={"enabled": False}, headers=manager.headers)).status_code == 200

    async def test_running_one_by_hand_takes_it_too(
        self, client: httpx.AsyncClient, people: People, admin: Person
    ) -> None:
        path = await create(client, admin)
        weak = await people.create(RUN, "schedules.manage")
        strong = await people.create(RUN, "schedules.manage", REQUIRED)
        assert outcome(await client.post(f"{path}/run", headers=weak.headers)) == DENIED
        assert (await client.post(f"{path}/run", headers=strong.headers)).status_code == 200

    async def test_an_internal_one_of_the_configuration_is_run_by_nobody(
        self, client: httpx.AsyncClient, admin: Person, uow: UnitOfWork
    ) -> None:
        row = hourly_from_configuration("tasks.prune")
        await store(uow.session, row)
        response = await client.post(f"{PATH}/{row.id}/run", headers=admin.headers)
        assert outcome(response) == (403, "tasks.internal")

    @pytest.mark.parametrize("origin", list(ScheduleOrigin))
    async def test_schedules_of_others_take_a_code_of_their_own(
        self, client: httpx.AsyncClient, people: People, admin: Person, uow: UnitOfWork, origin: ScheduleOrigin
    ) -> None:
        path = await create(client, admin)
        if origin == ScheduleOrigin.CONFIG:
            row = await uow.session.get_one(Schedule, path.rpartition("/")[2])
            row.origin, row.created_by = origin, None
            await uow.session.commit()
        person = await people.create(CHANGE, RUN, DELETE, REQUIRED)
        assert [
            outcome(await client.patch(path, json={"enabled": False}, headers=person.headers)),
            outcome(await client.post(f"{path}/run", headers=person.headers)),
            outcome(await client.delete(path, headers=person.headers)),
        ] == [FOREIGN] * 3

    async def test_the_own_ones_take_no_other_code(self, client: httpx.AsyncClient, people: People) -> None:
        person = await people.create(CREATE, CHANGE, RUN, DELETE, REQUIRED)
        path = await create(client, person)
        codes = [
            (await client.patch(path, json={"every": 2}, headers=person.headers)).status_code,
            (await client.post(f"{path}/run", headers=person.headers)).status_code,
            (await client.delete(path, headers=person.headers)).status_code,
        ]
        assert codes == [200, 200, 200]

    @pytest.mark.parametrize("by", ["id", "ids", "name"])
    async def test_a_retry_takes_the_permission_of_the_task(
        self, client: httpx.AsyncClient, people: People, uow: UnitOfWork, by: str
    ) -> None:
        run = TaskRun(name=TASK, state=RunState.FAILURE, kwargs={"notice_id": "x"}, finished_at=utc_now())
        uow.session.add(run)
        await uow.session.commit()
        weak, strong = await people.create(RETRY, RETRY_ALL), await people.create(RETRY, RETRY_ALL, REQUIRED)

        async def retry(person: Person) -> httpx.Response:
            choice = {"ids": [str(run.id)]} if by == "ids" else {"name": TASK}
            path = f"/api/v1/tasks/runs/{run.id}/retry" if by == "id" else "/api/v1/tasks/runs/retry"
            return await client.post(path, json=choice, headers=person.headers)

        assert outcome(await retry(weak)) == DENIED
        assert (await retry(strong)).status_code == 200


def revoke_role(user: User) -> Delete:
    return delete(UserRole).where(col(UserRole.user_id) == user.id)


def disable_role(user: User) -> Update:
    held = select(UserRole.role_id).where(UserRole.user_id == user.id)
    return update(Role).where(col(Role.id).in_(held)).values(status=False)


def take_code(user: User) -> Update:
    held = select(UserRole.role_id).where(UserRole.user_id == user.id)
    return update(Role).where(col(Role.id).in_(held)).values(interface_permissions=[CREATE])


def disable(user: User) -> Update:
    return update(User).where(col(User.id) == user.id).values(status=False)


def require_new_password(user: User) -> Update:
    return update(User).where(col(User.id) == user.id).values(must_change_password=True)


def delete_user(user: User) -> Delete:
    return delete(User).where(col(User.id) == user.id)


class TestRow56AtEachRun:
    """Beat has a connection of its own, so everything is committed."""

    @pytest.fixture
    async def session(self) -> AsyncIterator[AsyncSession]:
        async with empty_table() as session:
            yield session

    @pytest.fixture
    async def author(self, resources: Resources) -> AsyncIterator[User]:
        async with resources.unit_of_work() as uow:
            person = await People(uow, resources).create(CREATE, REQUIRED)
        yield person.user
        async with resources.unit_of_work() as uow:
            await uow.session.exec(delete_user(person.user))

    @pytest.fixture
    def beat(self) -> Iterator[AsyncDatabaseScheduler]:
        beat = AsyncDatabaseScheduler(app)
        beat.max_interval = 0
        beat.schedule.clear()
        yield beat
        beat.close()

    async def run(self, beat: AsyncDatabaseScheduler, session: AsyncSession, schedule: Schedule) -> Schedule:
        """A tick in which the schedule is due."""
        schedule.next_run_at = utc_now() - timedelta(seconds=1)
        session.add(schedule)
        await session.commit()
        await asyncio.to_thread(beat.tick)
        await session.refresh(schedule)
        await session.commit()
        return schedule

    def schedule(self, queue: Queue, author: User | None, **columns: Any) -> Schedule:
        author_id = author and author.id
        columns = {"task": TASK, "args": ["x"], "created_by": author_id, "updated_by": author_id, **columns}
        timing = {"kind": ScheduleKind.INTERVAL, "every": 1, "period": IntervalPeriod.HOURS}
        return Schedule.model_validate({"name": uuid4().hex, "queue": queue.name, **timing, **columns})

    @pytest.mark.parametrize(
        "revoke", [revoke_role, disable_role, take_code, disable, require_new_password, delete_user]
    )
    async def test_one_whose_author_may_no_longer_is_paused_and_says_why(
        self,
        session: AsyncSession,
        author: User,
        beat: AsyncDatabaseScheduler,
        revoke: Callable[[User], Update | Delete],
    ) -> None:
        queue = Queue()
        schedule = await self.run(beat, session, self.schedule(queue, author))
        assert (len(queue), schedule.enabled, schedule.pause_reason) == (1, True, None)
        await session.exec(revoke(author))
        schedule = await self.run(beat, session, schedule)
        assert (len(queue), schedule.enabled) == (1, False)
        assert REQUIRED in str(schedule.pause_reason)

    async def test_an_internal_task_that_a_user_scheduled_earlier_is_paused(
        self, session: AsyncSession, author: User, beat: AsyncDatabaseScheduler
    ) -> None:
        queue = Queue()
        schedule = await self.run(beat, session, self.schedule(queue, author, task="tasks.prune", args=[]))
        assert (len(queue), schedule.enabled) == (0, False)
        assert "internal" in str(schedule.pause_reason)

    async def test_others_of_the_same_tick_are_sent(
        self, session: AsyncSession, author: User, beat: AsyncDatabaseScheduler
    ) -> None:
        stranger, queue = User(id=uuid4(), name="", email="", username="", password_hash=""), Queue()
        session.add(self.schedule(queue, author, next_run_at=utc_now()))
        schedule = await self.run(beat, session, self.schedule(queue, stranger))
        assert (len(queue), schedule.enabled) == (1, False)

    async def test_rows_of_operators_and_of_the_configuration_need_no_author(
        self, session: AsyncSession, beat: AsyncDatabaseScheduler
    ) -> None:
        queue = Queue()
        await self.run(beat, session, self.schedule(queue, None))
        await self.run(beat, session, self.schedule(queue, None, task="tasks.prune", args=[], origin="config"))
        assert len(queue) == 2

    async def test_enabling_it_again_clears_the_reason(
        self, client: httpx.AsyncClient, admin: Person, uow: UnitOfWork
    ) -> None:
        path = await create(client, admin)
        row = await uow.session.get_one(Schedule, path.rpartition("/")[2])
        row.enabled, row.pause_reason = False, "The author is gone."
        await uow.session.commit()
        paused = (await client.get(path, headers=admin.headers)).json()["data"]
        enabled = (await client.patch(path, json={"enabled": True}, headers=admin.headers)).json()["data"]
        assert [paused["pauseReason"], enabled["pauseReason"]] == ["The author is gone.", None]
