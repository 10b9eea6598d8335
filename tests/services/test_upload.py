"""Concurrent completions of uploads, in separate transactions on a real database."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest

from src.core.config.files import FileSettings
from src.core.exceptions import ConflictError, NotFoundError
from src.core.resources import Resources
from src.core.storage.port import Part
from src.crud.file import FileCRUD
from src.models.file import File, FileStatus
from src.models.user import User
from src.schemas.file import FileCreate, UploadedPart
from src.services.file import FileService
from src.services.file_sweep import FileSweep
from src.services.upload import UploadService
from src.utils.date import utc_now
from tests.support.uploads import EVERYBODY, announced
from tests.support.waiting import PATIENCE_SECONDS

MANY = 20


class Pause:
    """Pauses completions before they reach the storage until they are released."""

    def __init__(self, complete: Callable[..., Any]) -> None:
        self.complete = complete
        self.calls = 0
        self.reached = asyncio.Event()
        self.let_go = asyncio.Event()

    async def __call__(self, key: str, upload_id: str, parts: Sequence[Part]) -> None:
        self.calls += 1
        self.reached.set()
        await self.let_go.wait()
        await self.complete(key, upload_id, parts)


@pytest.fixture
def pause(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> Pause:
    pause = Pause(resources.storage.complete_upload)
    monkeypatch.setattr(resources.storage, "complete_upload", pause)
    return pause


async def complete(resources: Resources, file: File, parts: list[UploadedPart]) -> File:
    async with resources.unit_of_work() as uow:
        return await UploadService(uow, resources).complete(file.id, parts, EVERYBODY)


async def sweep(resources: Resources) -> int:
    async with resources.unit_of_work() as uow:
        return await FileSweep(uow, resources).sweep()


async def change(resources: Resources, file: File, **changes: Any) -> None:
    async with resources.unit_of_work() as uow:
        await FileCRUD(uow.session).update_many({"id": file.id}, changes)


@pytest.fixture
async def owner(resources: Resources) -> AsyncIterator[UUID]:
    """A committed user, deleted after the test with their files."""
    name = uuid4().hex
    user = User(name=name, email=f"{name}@example.com", username=name, password_hash="")
    async with resources.unit_of_work() as uow:
        uow.session.add(user)
    yield user.id
    async with resources.unit_of_work() as uow:
        for file in await FileCRUD(uow.session).list({"owner_id": user.id}):
            await resources.storage.abort_upload(file.key, file.upload_id)
            await uow.session.delete(file)
        await uow.session.delete(user)


class TestConcurrentUploads:
    async def test_respect_the_limit(self, resources: Resources, owner: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(resources.settings, "files", FileSettings(FILE_OPEN_UPLOADS=2))
        data = FileCreate(filename="a.bin", content_type="application/octet-stream", size_bytes=1)

        async def begin() -> str:
            try:
                async with resources.unit_of_work() as uow:
                    await UploadService(uow, resources).begin(data, owner)
            except ConflictError as error:
                return error.error
            return "begun"

        outcomes = sorted(await asyncio.gather(*(begin() for _ in range(8))))
        assert outcomes == ["begun"] * 2 + ["file.too_many_uploads"] * 6


class TestConcurrentCompletions:
    async def test_one_completes_and_the_others_get_a_conflict(self, resources: Resources, pause: Pause) -> None:
        async with announced(resources, b"content") as (file, parts):
            all_of_them = [asyncio.create_task(complete(resources, file, parts)) for _ in range(MANY)]
            pending = set(all_of_them)
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    while len(pending) > 1:
                        _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            finally:
                pause.let_go.set()
            outcomes = await asyncio.gather(*all_of_them, return_exceptions=True)
        told = [outcome.error for outcome in outcomes if isinstance(outcome, ConflictError)]
        assert told == ["file.being_completed"] * (MANY - 1)
        assert (pause.calls, [one.status for one in outcomes if isinstance(one, File)]) == (1, [FileStatus.READY])

    async def test_a_second_takes_over_from_one_that_died(self, resources: Resources, pause: Pause) -> None:
        async with announced(resources, b"content") as (file, parts):
            first = asyncio.create_task(complete(resources, file, parts))
            await pause.reached.wait()
            await change(resources, file, leased_until=utc_now())  # as if the lease had expired
            pause.let_go.set()
            second = await complete(resources, file, parts)
            outcome = await asyncio.gather(first, return_exceptions=True)
        assert second.status == FileStatus.READY
        assert isinstance(outcome[0], (File, NotFoundError, ConflictError))


class TestWithTheSweep:
    async def test_a_completion_that_outlasts_the_expiry_is_not_swept(self, resources: Resources, pause: Pause) -> None:
        async with announced(resources, b"content") as (file, parts):
            completing = asyncio.create_task(complete(resources, file, parts))
            await pause.reached.wait()
            await change(resources, file, expires_at=utc_now())
            await sweep(resources)
            pause.let_go.set()
            assert (await completing).status == FileStatus.READY
            assert await resources.storage.find(file.key) is not None

    async def test_a_completion_that_lost_its_lease_fails(self, resources: Resources, pause: Pause) -> None:
        async with announced(resources, b"content") as (file, parts):
            completing = asyncio.create_task(complete(resources, file, parts))
            await pause.reached.wait()
            await change(resources, file, expires_at=utc_now(), leased_until=utc_now())  # as if the lease had expired
            swept = await sweep(resources)
            pause.let_go.set()
            with pytest.raises(ConflictError, match="no longer exists"):
                await completing
            assert (swept, await resources.storage.find(file.key)) == (1, None)

    async def test_completing_a_swept_upload_is_not_found(self, resources: Resources) -> None:
        async with announced(resources, b"content") as (file, parts):
            await change(resources, file, expires_at=utc_now())
            await sweep(resources)
            with pytest.raises(NotFoundError):
                await complete(resources, file, parts)

    async def test_concurrent_completions_and_sweeps_leave_a_consistent_state(self, resources: Resources) -> None:
        async with announced(resources, b"content") as (file, parts):
            racing = [complete(resources, file, parts), change(resources, file, expires_at=utc_now())]
            outcomes = await asyncio.gather(*racing, *(sweep(resources) for _ in range(5)), return_exceptions=True)
            await sweep(resources)
            stored = await resources.storage.find(file.key) is not None
            uploads = await resources.storage.uploads(file.key)
            async with resources.unit_of_work() as uow:
                rows = await FileCRUD(uow.session).list({"id": file.id})
        assert isinstance(outcomes[0], (File, ConflictError, NotFoundError))
        assert ([row.status for row in rows], stored, uploads) in (
            ([FileStatus.READY], True, []),
            ([], False, []),
        )


class TestWithADeletion:
    async def test_the_content_is_removed_after_the_completion(self, resources: Resources, pause: Pause) -> None:
        async with announced(resources, b"content") as (file, parts):
            completing = asyncio.create_task(complete(resources, file, parts))
            await pause.reached.wait()
            async with resources.unit_of_work() as uow:
                await FileService(uow, resources).delete(file.id, EVERYBODY)
            pause.let_go.set()
            with pytest.raises(NotFoundError):
                await completing
            await change(resources, file, leased_until=utc_now())  # as if the lease had expired
            assert (await sweep(resources), await resources.storage.find(file.key)) == (1, None)
