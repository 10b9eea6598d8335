import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import httpx
import pytest
import structlog
from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import col, delete
from sqlmodel.ext.asyncio.session import AsyncSession

from src.core.effects import TaskCall
from src.core.exceptions import ConflictError
from src.core.realtime.event_registry import UndeclaredEventError
from src.core.resources import Resources
from src.core.stores.errors import as_unavailable
from src.core.unit_of_work import ReadUnitOfWork, UnitOfWork
from src.crud.notice import NoticeCRUD
from src.deps.database import UnitOfWorkDep
from src.middlewares.errors import install_error_handlers
from src.models.notice import Notice
from src.utils.date import utc_now


class Sinks:
    """Records tasks and events in the order in which they are sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, Any]] = []

    async def store(self, session: AsyncSession, calls: Sequence[TaskCall]) -> None:
        self.stored = [call.id for call in calls]

    async def deliver(self, session: AsyncSession, calls: Sequence[TaskCall]) -> None:
        assert [call.id for call in calls] == self.stored
        self.sent.extend((call.name, call.kwargs) for call in calls)

    def check(self, event: str, data: object) -> None:
        if event == "undeclared":
            raise UndeclaredEventError(event)

    async def emit(self, event: str, data: object, *, room: str | None = None, namespace: str = "/") -> None:
        if event == "broken":
            raise ConnectionError(event)
        self.sent.append((event, (data, room)))


@pytest.fixture
def sinks(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> Sinks:
    sinks = Sinks()
    monkeypatch.setattr(resources, "tasks", sinks)
    monkeypatch.setattr(resources, "events", sinks)
    return sinks


@pytest.fixture
async def notice(resources: Resources) -> AsyncIterator[Notice]:
    """An unstored row; it is deleted after the test."""
    notice = Notice(title="t", body="b", expires_at=utc_now() + timedelta(days=1))
    yield notice
    async with resources.engine.begin() as connection:
        await connection.execute(delete(Notice).where(col(Notice.id) == notice.id))


async def is_stored(resources: Resources, key: UUID) -> bool:
    """Whether other connections see the row."""
    async with resources.sessions() as session:
        return await session.get(Notice, key) is not None


class TestCommit:
    async def test_the_rows_are_there_for_others(self, resources: Resources, notice: Notice) -> None:
        async with resources.unit_of_work() as uow:
            uow.session.add(notice)
        assert await is_stored(resources, notice.id)

    async def test_tasks_are_sent_before_events_each_in_order(self, resources: Resources, sinks: Sinks) -> None:
        async with resources.unit_of_work() as uow:
            uow.emit("third", {"number": 3}, room="room")
            uow.enqueue("first", number=1)
            uow.emit("fourth", None)
            uow.enqueue("second")
        tasks = [("first", {"number": 1}), ("second", {})]
        assert sinks.sent == [*tasks, ("third", ({"number": 3}, "room")), ("fourth", (None, None))]

    async def test_nothing_is_sent_before_the_block_ends(self, resources: Resources, sinks: Sinks) -> None:
        async with resources.unit_of_work() as uow:
            uow.enqueue("task")
            await uow.session.flush()
            assert sinks.sent == []

    async def test_an_effect_finds_the_rows_committed(self, resources: Resources, notice: Notice) -> None:
        seen: list[bool] = []

        async def look() -> None:
            seen.append(await is_stored(resources, notice.id))

        async with resources.unit_of_work() as uow:
            uow.session.add(notice)
            uow.after_commit("look", look)
        assert seen == [True]

    async def test_a_second_commit_does_not_repeat_effects(self, resources: Resources, sinks: Sinks) -> None:
        async with resources.unit_of_work() as uow:
            uow.enqueue("task")
            await uow.commit()
        assert len(sinks.sent) == 1


class TestRollback:
    async def fail(self, resources: Resources, notice: Notice, event: str = "event") -> None:
        async with resources.unit_of_work() as uow:
            uow.session.add(notice)
            await uow.session.flush()
            uow.enqueue("task")
            uow.emit(event, None)
            raise ConflictError

    async def test_an_error_stores_nothing(self, resources: Resources, notice: Notice, sinks: Sinks) -> None:
        with pytest.raises(ConflictError):
            await self.fail(resources, notice)
        assert not await is_stored(resources, notice.id)

    async def test_an_undeclared_event_is_an_error(self, resources: Resources, notice: Notice, sinks: Sinks) -> None:
        with pytest.raises(UndeclaredEventError):
            await self.fail(resources, notice, "undeclared")
        assert not await is_stored(resources, notice.id)

    async def test_an_error_sends_nothing(self, resources: Resources, notice: Notice, sinks: Sinks) -> None:
        with pytest.raises(ConflictError):
            await self.fail(resources, notice)
        assert sinks.sent == []

    async def test_the_connection_goes_back_to_the_pool(
        self, resources: Resources, notice: Notice, sinks: Sinks
    ) -> None:
        with pytest.raises(ConflictError):
            await self.fail(resources, notice)
        assert "Current Checked out connections: 0" in resources.engine.pool.status()


class TestBeforeCommit:
    async def test_a_hook_runs_while_the_rows_are_uncommitted(self, resources: Resources, notice: Notice) -> None:
        seen: list[bool] = []

        async def look() -> None:
            seen.append(await is_stored(resources, notice.id))

        async with resources.unit_of_work() as uow:
            uow.session.add(notice)
            await uow.session.flush()
            uow.before_commit(look)
        assert seen == [False]

    async def test_a_hook_may_add_further_hooks_and_effects(self, resources: Resources) -> None:
        ran: list[str] = []

        async def run(name: str, add: Callable[[], object] = lambda: None) -> None:
            ran.append(name)
            add()

        async with resources.unit_of_work() as uow:
            effect = partial(run, "effect", lambda: uow.after_commit("x", partial(run, "last")))
            hook = partial(run, "inner", lambda: uow.after_commit("x", effect))
            uow.before_commit(partial(run, "outer", lambda: uow.before_commit(hook)))
        assert ran == ["outer", "inner", "effect", "last"]

    async def refuse(self, resources: Resources, notice: Notice) -> None:
        async def hook() -> None:
            raise ConnectionError

        async with resources.unit_of_work() as uow:
            uow.session.add(notice)
            uow.enqueue("task")
            uow.before_commit(hook)

    async def test_a_failing_hook_stores_nothing(self, resources: Resources, notice: Notice) -> None:
        with pytest.raises(ConnectionError):
            await self.refuse(resources, notice)
        assert not await is_stored(resources, notice.id)

    async def test_a_failing_hook_sends_nothing(self, resources: Resources, notice: Notice, sinks: Sinks) -> None:
        with pytest.raises(ConnectionError):
            await self.refuse(resources, notice)
        assert sinks.sent == []


class TestSavepoint:
    """`uow.savepoint()`: a part that fails alone, with its effects."""

    async def fail(self, uow: UnitOfWork) -> None:
        async with uow.savepoint():
            uow.enqueue("inner")
            uow.emit("inner", None)
            uow.before_commit(uow.session.flush)
            await NoticeCRUD(uow.session).create({"title": "t", "body": "b", "expires_at": utc_now()})
            raise ConflictError

    async def test_that_fails_is_undone_with_its_effects(self, resources: Resources, sinks: Sinks) -> None:
        async with resources.unit_of_work() as uow:
            before = await NoticeCRUD(uow.session).count()
            uow.enqueue("outer")
            with pytest.raises(ConflictError):
                await self.fail(uow)
            uow.emit("outer", None)
            assert await NoticeCRUD(uow.session).count() == before
        assert [name for name, _ in sinks.sent] == ["outer", "outer"]

    async def test_that_succeeds_keeps_its_effects(self, resources: Resources, sinks: Sinks) -> None:
        async with resources.unit_of_work() as uow:
            async with uow.savepoint():
                uow.enqueue("inner")
            with pytest.raises(ConflictError):
                await self.fail(uow)
        assert [name for name, _ in sinks.sent] == ["inner"]

    async def test_takes_those_inside_it_along(self, resources: Resources, sinks: Sinks) -> None:
        async def fail(uow: UnitOfWork) -> None:
            async with uow.savepoint():
                async with uow.savepoint():
                    uow.enqueue("inner")
                raise ConflictError

        async with resources.unit_of_work() as uow:
            with pytest.raises(ConflictError):
                await fail(uow)
        assert sinks.sent == []

    async def test_of_sqlalchemy_is_the_same(self, resources: Resources, sinks: Sinks) -> None:
        async with resources.unit_of_work() as uow:
            savepoint = await uow.session.begin_nested()
            uow.enqueue("inner")
            await savepoint.rollback()
            uow.enqueue("outer")
        assert [name for name, _ in sinks.sent] == ["outer"]

    async def test_reloads_the_rows_that_it_had_changed(self, uow: UnitOfWork, notice: Notice) -> None:
        async def fail() -> None:
            async with uow.savepoint():
                notice.title = "changed"
                await uow.session.flush()
                raise ConflictError

        uow.session.add(notice)
        await uow.session.flush()
        with pytest.raises(ConflictError):
            await fail()
        assert notice.title == "t"

    async def test_whose_connection_is_lost_raises_that(self, resources: Resources) -> None:
        async def lose(uow: UnitOfWork) -> None:
            connection = await uow.session.connection()
            backend = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            async with resources.engine.connect() as other:
                await other.execute(text(f"SELECT pg_terminate_backend({backend}, 2000)"))
            await connection.execute(text("SELECT 1"))

        async def work() -> None:
            async with resources.unit_of_work() as uow:
                notices = NoticeCRUD(uow.session)
                notice = await notices.create({"title": "t", "body": "b", "expires_at": utc_now()})
                async with uow.savepoint():
                    await notices.update(notice, {"title": "changed"})
                    await lose(uow)

        with pytest.raises(DBAPIError) as caught:
            await work()
        assert as_unavailable(caught.value)


class TestCancellation:
    """A caller that is cancelled once the transaction is being committed is so after the last effect."""

    @pytest.mark.parametrize("at", [0, 1, 2])
    async def test_drops_no_effect(self, resources: Resources, sinks: Sinks, notice: Notice, at: int) -> None:
        reached, go_on, ran = asyncio.Event(), asyncio.Event(), list[int]()

        async def effect(number: int) -> None:
            if number == at:
                reached.set()
                await go_on.wait()
            ran.append(number)

        async def work() -> None:
            async with resources.unit_of_work() as uow:
                uow.session.add(notice)
                uow.enqueue("task")
                for number in range(3):
                    uow.after_commit("effect", partial(effect, number))

        task = asyncio.create_task(work())
        await reached.wait()
        task.cancel()
        await asyncio.sleep(0)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (ran, [name for name, _ in sinks.sent]) == ([0, 1, 2], ["task"])

    async def test_during_the_commit_sends_everything(
        self, resources: Resources, sinks: Sinks, notice: Notice, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        committing, commit = asyncio.Event(), AsyncSession.commit

        async def slow_commit(session: AsyncSession) -> None:
            committing.set()
            await asyncio.sleep(0)
            await commit(session)

        async def work() -> None:
            async with resources.unit_of_work() as uow:
                uow.session.add(notice)
                uow.emit("event", None)

        monkeypatch.setattr(AsyncSession, "commit", slow_commit)
        task = asyncio.create_task(work())
        await committing.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await is_stored(resources, notice.id), sinks.sent) == (True, [("event", (None, None))])

    async def test_before_the_commit_sends_nothing(self, resources: Resources, sinks: Sinks, notice: Notice) -> None:
        waiting = asyncio.Event()

        async def work() -> None:
            async with resources.unit_of_work() as uow:
                uow.session.add(notice)
                uow.emit("event", None)
                waiting.set()
                await asyncio.Event().wait()

        task = asyncio.create_task(work())
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await is_stored(resources, notice.id), sinks.sent) == (False, [])


class TestRetrying:
    """`resources.retrying` repeats a unit of work that failed only because of others."""

    @pytest.mark.usefixtures("sinks")
    async def test_serializable_transactions_all_succeed(self, resources: Resources, notice: Notice) -> None:
        async def append(uow: UnitOfWork) -> None:
            _ = await uow.session.connection(execution_options={"isolation_level": "SERIALIZABLE"})
            row = await NoticeCRUD(uow.session).get(notice.id)
            await NoticeCRUD(uow.session).update(row, {"body": row.body + "x"})

        async with resources.unit_of_work() as uow:
            uow.session.add(notice)
        await asyncio.gather(*(resources.retrying(append, attempts=20) for _ in range(5)))
        async with resources.sessions() as session:
            assert (await NoticeCRUD(session).get(notice.id)).body == "bxxxxx"

    @pytest.mark.parametrize(("state", "attempts", "runs"), [("40P01", 3, 3), ("40001", 1, 1), ("22012", 3, 1)])
    async def test_ends_with_the_last_error(
        self, resources: Resources, sinks: Sinks, state: str, attempts: int, runs: int
    ) -> None:
        tried: list[int] = []

        async def fail(uow: UnitOfWork) -> None:
            tried.append(1)
            uow.enqueue("task")
            body = f"DO $$BEGIN RAISE 'no' USING ERRCODE = '{state}'; END$$"
            await (await uow.session.connection()).execute(text(body))

        with pytest.raises(DBAPIError):
            await resources.retrying(fail, attempts=attempts)
        assert (len(tried), sinks.sent) == (runs, [])

    async def test_sends_the_effects_of_the_attempt_that_succeeds(self, resources: Resources, sinks: Sinks) -> None:
        async def work(uow: UnitOfWork) -> int:
            uow.enqueue("task", attempt=len(tried))
            tried.append(1)
            if len(tried) == 1:
                await (await uow.session.connection()).execute(text("DO $$BEGIN RAISE USING ERRCODE = '40001'; END$$"))
            return len(tried)

        tried: list[int] = []
        assert (await resources.retrying(work), sinks.sent) == (2, [("task", {"attempt": 1})])


class TestFailingEffect:
    def fail(self, uow: UnitOfWork) -> None:
        uow.emit("before", None)
        uow.emit("broken", None)
        uow.emit("after", None)

    async def test_the_others_are_sent(self, resources: Resources, sinks: Sinks) -> None:
        async with resources.unit_of_work() as uow:
            self.fail(uow)
        assert [name for name, _ in sinks.sent] == ["before", "after"]

    @pytest.mark.usefixtures("sinks")
    async def test_it_is_logged_by_name(self, resources: Resources) -> None:
        with structlog.testing.capture_logs() as logs:
            async with resources.unit_of_work() as uow:
                self.fail(uow)
        assert [entry["effect"] for entry in logs if entry["event"] == "effect_failed"] == ["event broken"]

    @pytest.mark.usefixtures("sinks")
    async def test_the_rows_stay(self, resources: Resources, notice: Notice) -> None:
        async with resources.unit_of_work() as uow:
            uow.session.add(notice)
            self.fail(uow)
        assert await is_stored(resources, notice.id)


class TestRequest:
    """The commit is part of the request: the caller gets its errors."""

    @pytest.fixture
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        app = FastAPI()
        install_error_handlers(app)

        @app.post("/late")
        async def violate_at_commit(uow: UnitOfWorkDep) -> str:
            table = "CREATE TEMP TABLE late (id int UNIQUE DEFERRABLE INITIALLY DEFERRED) ON COMMIT DROP"
            await uow.session.execute(text(table))
            await uow.session.execute(text("INSERT INTO late VALUES (1), (1)"))
            uow.enqueue("task")
            return "done"

        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            yield client

    @pytest.mark.usefixtures("resources")
    async def test_a_commit_that_fails_is_no_success(self, client: httpx.AsyncClient) -> None:
        assert (await client.post("/late")).status_code == 500

    @pytest.mark.usefixtures("resources")
    async def test_its_response_has_no_sql(self, client: httpx.AsyncClient) -> None:
        assert not re.search("late|unique|duplicate", (await client.post("/late")).text)

    async def test_it_sends_nothing(self, client: httpx.AsyncClient, sinks: Sinks) -> None:
        await client.post("/late")
        assert sinks.sent == []


class TestReadUnitOfWork:
    @pytest.mark.parametrize(
        "effect",
        [
            lambda uow: uow.enqueue("some.task"),
            lambda uow: uow.emit("some.event", {}),
            lambda uow: uow.disconnect("room"),
            lambda uow: uow.before_commit(uow.session.flush),
        ],
        ids=["enqueue", "emit", "disconnect", "before_commit"],
    )
    async def test_effects_raise_instead_of_being_lost(
        self, resources: Resources, sinks: Sinks, effect: Callable[[UnitOfWork], object]
    ) -> None:
        async with resources.read_sessions() as session:
            with pytest.raises(RuntimeError, match="only reads"):
                effect(ReadUnitOfWork(session, resources.tasks, resources.events))
