"""Reconciliation of table and storage, with a real S3 server."""

from datetime import timedelta
from typing import Any

import pytest

from src.core.config.files import FileSettings
from src.core.resources import Resources
from src.core.storage.port import Part
from src.core.unit_of_work import UnitOfWork
from src.crud.file import FileCRUD
from src.models.file import File, FileStatus
from src.services import file_reconciliation
from src.services.file_reconciliation import FileReconciliation
from src.utils.date import utc_now
from src.utils.uuid7 import uuid7
from tests.support.uploads import send

MINUTE = timedelta(minutes=1)


@pytest.fixture
def impatient(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    """Treats every orphan as old."""
    monkeypatch.setattr(resources.settings, "files", FileSettings.model_construct(orphan_seconds=-60))


async def put(resources: Resources, key: str) -> None:
    """Store an object."""
    upload_id = await resources.storage.begin_upload(key)
    (url,) = await resources.storage.sign_parts(key, upload_id, [1], MINUTE)
    plan = {"partSizeBytes": 1, "parts": [{"partNumber": 1, "url": url, "headers": {}}]}
    (part,) = await send(plan, b"a")
    await resources.storage.complete_upload(key, upload_id, [Part(1, part["etag"].strip('"'))])


async def make(uow: UnitOfWork, **fields: Any) -> File:
    """Insert a row."""
    row = {"filename": "a", "content_type": "text/plain", "size_bytes": 1, "part_count": 1, "upload_id": "gone"}
    return await FileCRUD(uow.session).create({**row, "expires_at": utc_now() + MINUTE, **fields})


async def status(uow: UnitOfWork, file: File) -> str:
    await uow.session.refresh(file)
    return file.status


async def run(uow: UnitOfWork, resources: Resources) -> None:
    """Reconcile all batches."""
    reconciliation, after = FileReconciliation(uow, resources), ""
    following: list[str] = []

    def enqueue(task: str, after: str) -> None:
        following.append(after)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uow, "enqueue", enqueue)
        while True:
            await reconciliation.run(after)
            if not following:
                return
            after = following.pop()


@pytest.mark.parametrize("page", [1000, 1, 2])
class TestComparing:
    @pytest.fixture(autouse=True)
    def _page(self, page: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(file_reconciliation, "BATCH", page)
        monkeypatch.setattr("src.core.storage.minio_storage.BATCH", page)

    @pytest.mark.usefixtures("impatient")
    async def test_removes_objects_without_a_row(self, uow: UnitOfWork, resources: Resources) -> None:
        orphans = [f"files/{uuid7()}" for _ in range(3)]
        for key in orphans:
            await put(resources, key)
        ready = await make(uow, status=FileStatus.READY)
        pending = await make(uow)
        for file in (ready, pending):
            await put(resources, file.key)
        await run(uow, resources)
        assert [await resources.storage.find(key) for key in orphans] == [None] * 3
        assert None not in [await resources.storage.find(file.key) for file in (ready, pending)]

    async def test_keeps_recent_objects_without_a_row(self, uow: UnitOfWork, resources: Resources) -> None:
        key = f"files/{uuid7()}"
        await put(resources, key)
        await run(uow, resources)
        assert await resources.storage.find(key) is not None

    async def test_marks_rows_without_an_object_as_lost_and_restores_them(
        self, uow: UnitOfWork, resources: Resources
    ) -> None:
        files = [await make(uow, status=FileStatus.READY) for _ in range(3)]
        await put(resources, files[1].key)
        await run(uow, resources)
        before = [await status(uow, file) for file in files]
        await put(resources, files[2].key)  # as if restored from a backup
        await run(uow, resources)
        after = [await status(uow, file) for file in files]
        assert (before, after) == (["lost", "ready", "lost"], ["lost", "ready", "ready"])

    async def test_ignores_pending_uploads(self, uow: UnitOfWork, resources: Resources) -> None:
        files = [await make(uow), await make(uow, status=FileStatus.DELETED)]
        await run(uow, resources)
        assert [await status(uow, file) for file in files] == ["pending", "deleted"]

    @pytest.mark.usefixtures("impatient")
    async def test_ignores_keys_that_are_no_ids(self, uow: UnitOfWork, resources: Resources) -> None:
        key = "files/readme.txt"
        await put(resources, key)
        await run(uow, resources)
        assert await resources.storage.find(key) is not None
        await resources.storage.remove(key)


class TestOrphanedUploads:
    @pytest.mark.usefixtures("impatient")
    async def test_are_aborted(self, uow: UnitOfWork, resources: Resources) -> None:
        key = f"files/{uuid7()}"
        await resources.storage.begin_upload(key)
        await FileReconciliation(uow, resources).run()
        assert await resources.storage.uploads(key) == []

    @pytest.mark.usefixtures("impatient")
    async def test_are_not_those_of_pending_files(self, uow: UnitOfWork, resources: Resources) -> None:
        file = await make(uow)
        await resources.storage.begin_upload(file.key)
        await FileReconciliation(uow, resources).run()
        assert len(await resources.storage.uploads(file.key)) == 1

    async def test_are_not_recent_ones(self, uow: UnitOfWork, resources: Resources) -> None:
        key = f"files/{uuid7()}"
        await resources.storage.begin_upload(key)
        await FileReconciliation(uow, resources).run()
        assert len(await resources.storage.uploads(key)) == 1
