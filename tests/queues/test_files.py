"""Periodic tasks for files."""

from datetime import timedelta

from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.crud.file import FileCRUD
from src.queues.app import app
from src.queues.beat_schedule import BEAT_SCHEDULE
from src.utils.date import utc_now

app.loader.import_default_modules()  # as a worker does


class TestFileTasks:
    async def test_sweep(self, uow: UnitOfWork, resources: Resources) -> None:
        row = {"filename": "a", "content_type": "text/plain", "size_bytes": 1, "part_count": 1, "upload_id": "gone"}
        file = await FileCRUD(uow.session).create({**row, "expires_at": utc_now() - timedelta(hours=1)})
        assert await app.tasks["files.sweep"]() >= 1
        assert await FileCRUD(uow.session).count({"id": file.id}) == 0

    async def test_reconcile(self, uow: UnitOfWork) -> None:
        assert await app.tasks["files.reconcile"]() >= 0

    def test_are_sent_by_beat(self) -> None:
        names = {entry["task"] for entry in BEAT_SCHEDULE.values()}
        assert {"files.sweep", "files.reconcile"} <= names & set(app.tasks)
