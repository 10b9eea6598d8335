"""Deletion of expired uploads and deleted files, with a real S3 server."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from src.core.exceptions import ServiceUnavailableError
from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.crud.file import FileCRUD
from src.models.file import File, FileStatus
from src.services import file_sweep
from src.services.file_sweep import FileSweep
from src.utils.date import utc_now
from src.utils.uuid7 import uuid7
from tests.support.uploads import announced

HOUR = timedelta(hours=1)


async def make(uow: UnitOfWork, resources: Resources, **fields: Any) -> File:
    """Insert a row with a pending upload."""
    file_id = uuid7()
    upload_id = await resources.storage.begin_upload(f"files/{file_id}")
    row = {"filename": "a", "content_type": "text/plain", "size_bytes": 1, "part_count": 1, "upload_id": upload_id}
    return await FileCRUD(uow.session).create({**row, "id": file_id, "expires_at": utc_now() - HOUR, **fields})


async def left(uow: UnitOfWork, resources: Resources, file: File) -> tuple[int, int]:
    """The numbers of rows and pending uploads of a file."""
    rows = await FileCRUD(uow.session).count({"id": file.id})
    return rows, len(await resources.storage.uploads(file.key))


class TestSweep:
    async def test_removes_an_upload_that_was_never_completed(self, uow: UnitOfWork, resources: Resources) -> None:
        file = await make(uow, resources)
        assert await FileSweep(uow, resources).sweep() == 1
        assert await left(uow, resources, file) == (0, 0)

    @pytest.mark.parametrize(
        "fields",
        [
            {"expires_at": utc_now() + HOUR},
            {"leased_until": utc_now() + HOUR},
            {"status": FileStatus.READY},
            {"status": FileStatus.LOST},
            {"status": FileStatus.DELETED, "leased_until": utc_now() + HOUR},
        ],
        ids=["in time", "being completed", "ready", "lost", "deleted while being completed"],
    )
    async def test_ignores_everything_else(self, uow: UnitOfWork, resources: Resources, fields: dict[str, Any]) -> None:
        file = await make(uow, resources, **fields)
        await FileSweep(uow, resources).sweep()
        assert await left(uow, resources, file) == (1, 1)

    async def test_removes_files_deleted_while_the_storage_was_down(
        self, uow: UnitOfWork, resources: Resources
    ) -> None:
        file = await make(uow, resources, status=FileStatus.DELETED, expires_at=utc_now() + HOUR)
        await FileSweep(uow, resources).sweep()
        assert await left(uow, resources, file) == (0, 0)

    async def test_is_limited_and_enqueues_another(
        self, uow: UnitOfWork, resources: Resources, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(file_sweep, "BATCH", 2)
        sent: list[str] = []
        monkeypatch.setattr(uow, "enqueue", sent.append)
        for _ in range(3):
            await make(uow, resources)
        assert [await FileSweep(uow, resources).sweep() for _ in range(3)] == [2, 1, 0]
        assert sent == ["files.sweep"]

    async def test_keeps_the_rows_of_files_that_could_not_be_removed(
        self, uow: UnitOfWork, resources: Resources, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        files = [await make(uow, resources, expires_at=utc_now() - HOUR + timedelta(seconds=n)) for n in range(3)]
        remove = resources.storage.remove

        async def away_at_the_second(key: str) -> None:
            if key == files[1].key:
                raise ServiceUnavailableError
            await remove(key)

        with monkeypatch.context() as patch:
            patch.setattr(resources.storage, "remove", away_at_the_second)
            with pytest.raises(ServiceUnavailableError):
                await FileSweep(uow, resources).sweep()
        rows = FileCRUD(uow.session)
        assert [await rows.count({"id": file.id}) for file in files] == [0, 1, 1]
        assert await FileSweep(uow, resources).sweep() == 2

    async def test_continues_after_a_file_that_the_storage_refuses_to_remove(
        self, uow: UnitOfWork, resources: Resources, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        files = [await make(uow, resources, expires_at=utc_now() - HOUR + timedelta(seconds=n)) for n in range(2)]
        remove = resources.storage.remove

        async def locked(key: str) -> None:
            if key == files[0].key:
                raise PermissionError("retention")
            await remove(key)

        monkeypatch.setattr(resources.storage, "remove", locked)
        assert await FileSweep(uow, resources).sweep() == 1
        assert [await FileCRUD(uow.session).count({"id": file.id}) for file in files] == [1, 0]

    async def test_does_not_retry_a_refused_file_immediately(
        self, uow: UnitOfWork, resources: Resources, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        files = [await make(uow, resources, expires_at=utc_now() - HOUR + timedelta(seconds=n)) for n in range(2)]
        remove = resources.storage.remove

        async def locked(key: str) -> None:
            if key == files[0].key:
                raise PermissionError("retention")
            await remove(key)

        monkeypatch.setattr(file_sweep, "BATCH", 1)
        monkeypatch.setattr(resources.storage, "remove", locked)
        swept = [await FileSweep(uow, resources).sweep() for _ in range(2)]
        assert (swept, await FileCRUD(uow.session).count({"id": files[1].id})) == ([0, 1], 0)


class TestTwoSweepsAtOnce:
    async def test_remove_everything_without_errors(self, resources: Resources) -> None:
        async def sweep() -> int:
            async with resources.unit_of_work() as uow:
                return await FileSweep(uow, resources).sweep()

        async with announced(resources, b"a") as (first, _), announced(resources, b"b") as (second, _):
            ids = {"id__in": [first.id, second.id]}
            async with resources.unit_of_work() as uow:
                await FileCRUD(uow.session).update_many(ids, {"expires_at": utc_now()})
            await asyncio.gather(*(sweep() for _ in range(5)))
            async with resources.unit_of_work() as uow:
                assert await FileCRUD(uow.session).count(ids) == 0
            for file in (first, second):
                assert await resources.storage.uploads(file.key) == []
