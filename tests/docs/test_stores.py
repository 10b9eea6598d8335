"""Examples of docs/databases.md, mongodb.md, redis.md, tasks.md and deploy/rabbitmq.md do what their pages say."""

from datetime import UTC, datetime
from types import ModuleType
from typing import Any
from uuid import uuid4

import pytest
from celery.app.defaults import SETTING_KEYS
from sqlalchemy import insert
from sqlmodel import SQLModel

from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.crud.audit import AuditCRUD
from src.crud.notice import NoticeCRUD
from src.models.notice import Notice, NoticeStatus
from src.queues.app import app
from tests.docs.readme import ROOT, blocks


def examples(page: str) -> list[str]:
    """The Python blocks of a page."""
    return blocks("python", (ROOT / "docs" / page).read_text())


def load(code: str) -> Any:
    """A module of a block."""
    module = ModuleType("page")
    exec(code, module.__dict__)  # noqa: S102 - an example of a document
    return module


NAMED, MODEL, SAVEPOINT, RETRY = examples("databases.md")
MIGRATION, TRANSACTION = examples("mongodb.md")
(TYPED,) = examples("redis.md")
TASK, PERMISSION, OPTIONS = examples("tasks.md")
(QUORUM,) = examples("deploy/rabbitmq.md")


def notice(**values: object) -> dict[str, object]:
    return {"title": "t", "body": "b", "expires_at": datetime(2100, 1, 1, tzinfo=UTC), **values}


class TestSQL:
    def test_a_named_database_has_a_dependency(self) -> None:
        assert load(NAMED).ReportsUnitOfWorkDep

    def test_a_model_says_where_it_is(self) -> None:
        model = load(MODEL).Sale
        try:
            assert model.__table__.info == {"database": "reports"}
        finally:
            SQLModel.metadata.remove(model.__table__)

    async def test_an_error_undoes_a_savepoint_alone(self, uow: UnitOfWork) -> None:
        taken, free = uuid4(), uuid4()
        connection = await uow.session.connection()
        times = {"create_time": datetime.now(UTC), "update_time": datetime.now(UTC), "version": 1}
        await connection.execute(insert(Notice).values(**notice(id=taken, status=NoticeStatus.PUBLISHED, **times)))
        assert await load(SAVEPOINT).import_notices(uow, [notice(id=taken), notice(id=free)]) == 1
        assert await NoticeCRUD(uow.session).count({"id__in": [taken, free]}) == 2

    async def test_a_unit_of_work_is_repeated(self, resources: Resources) -> None:
        async with resources.unit_of_work() as uow:
            made = await NoticeCRUD(uow.session).create(notice())
        await load(RETRY).rename(resources, made.id, "changed")
        async with resources.unit_of_work() as uow:
            notices = NoticeCRUD(uow.session)
            renamed = await notices.get(made.id)
            await notices.delete(renamed)
        assert renamed.title == "changed"


class TestMongoDB:
    async def test_a_migration_changes_documents(self, resources: Resources) -> None:
        (migration,) = load(MIGRATION).DOCUMENT_MIGRATIONS
        client = resources.documents.database.client
        database = client[f"test_{uuid4().hex}"]
        try:
            await database["audit_logs"].insert_many([{"actor": None}, {"actor": "ada"}])
            for _ in range(2):
                await migration.apply(database)
            assert await database["audit_logs"].count_documents({"actor": "system"}) == 1
        finally:
            await client.drop_database(database)

    async def test_a_transaction_deletes(self, resources: Resources) -> None:
        actor = uuid4()
        crud = AuditCRUD(resources.documents)
        entry = {
            "id": uuid4(),
            "time": datetime.now(UTC),
            "action": "test",
            "actor_id": actor,
            "result": "ok",
            "status": 200,
        }
        await crud.create(entry)
        assert await crud.count({"actor_id": actor}) == 1
        await load(TRANSACTION).forget(resources.documents, actor)
        assert await crud.count({"actor_id": actor}) == 0


class TestRedis:
    async def test_values_have_types(self, resources: Resources) -> None:
        try:
            assert await load(TYPED).raise_limit(resources.redis) == {"a": 1}
        finally:
            await resources.redis.delete("limits")


class TestTasks:
    @pytest.mark.parametrize("block", [TASK, PERMISSION])
    def test_are_written_as_the_page_says(self, block: str) -> None:
        lines = (ROOT / "src/queues/tasks/notices.py").read_text().splitlines()
        assert [line for line in block.splitlines() if line not in lines] == []

    def test_take_options(self, monkeypatch: pytest.MonkeyPatch) -> None:
        sent: list[tuple[object, object]] = []
        app.loader.import_default_modules()  # as a worker does
        task = app.tasks["notices.expire"]
        monkeypatch.setattr(
            type(task),
            "apply_async",
            lambda self, *args, **options: sent.append((options["queue"], options["countdown"])),
        )
        exec(OPTIONS, {"expire": task})  # noqa: S102 - an example of a document
        assert sent == [("slow", 60)]

    def test_of_rabbitmq_have_a_setting_of_celery(self) -> None:
        assert QUORUM.split(" ")[0].removeprefix("app.conf.") in SETTING_KEYS
