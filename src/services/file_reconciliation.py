from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

import structlog

from src.core.resources import Resources
from src.core.storage.port import BATCH, OpenUpload, StoredObject
from src.core.unit_of_work import UnitOfWork
from src.crud.file import FileCRUD
from src.models.file import PREFIX, FileStatus
from src.utils.date import utc_now

log = structlog.get_logger(__name__)

T = TypeVar("T", StoredObject, OpenUpload)


class FileReconciliation:
    """Repairs differences between the table and the storage, which a crash or a restored backup can leave.

    All methods are idempotent and safe to run concurrently. Rows are never deleted, because a content can be restored.
    """

    def __init__(self, uow: UnitOfWork, resources: Resources) -> None:
        self.uow = uow
        self.resources = resources
        self.storage = resources.storage

    async def run(self, after: str = "") -> int:
        """Compare the 1,000 files that follow the id `after`, and enqueue a task for the rest.

        Returns:
            The number of deleted objects, aborted uploads and changed rows.
        """
        aborted = 0 if after else await self.abort_orphaned_uploads()
        differences, end = await self._compare(after)
        if end:
            self.uow.enqueue("files.reconcile", after=end)
        return aborted + differences

    async def abort_orphaned_uploads(self) -> int:
        """Abort up to 1,000 old multipart uploads that belong to no pending file, and return their number."""
        old = {
            name: item for name, item in _by_id(await self.storage.uploads(PREFIX)).items() if self._is_old(item.begun)
        }
        async with self.resources.unit_of_work() as uow:
            with_upload = {"status": FileStatus.PENDING, "id__in": [UUID(name) for name in old]}
            pending = {str(file.id) for file in await FileCRUD(uow.session).list(with_upload)}
        orphans = [upload for name, upload in old.items() if name not in pending]
        for upload in orphans:
            await self.storage.abort_upload(upload.key, upload.id)
        return len(orphans)

    async def _compare(self, after: str) -> tuple[int, str]:
        # Rows before objects: the content of each of these rows, if it exists, is among the objects.
        async with self.resources.unit_of_work() as uow:
            where = {"id__gt": UUID(after)} if after else {}
            rows = await FileCRUD(uow.session).list(where, order=("id",), limit=BATCH)
        objects = await self.storage.objects(PREFIX, f"{PREFIX}{after}" if after else "")
        states = {str(row.id): row.status for row in rows}
        stored = _by_id(objects)
        # Nothing is known beyond the end of a full page: compare only up to the lower of the two ends.
        end = min(
            (max(ids) for ids, page in ((states, rows), (stored, objects)) if ids and len(page) >= BATCH), default=""
        )
        ids = {name for name in states.keys() | stored.keys() if not end or name <= end}

        orphans = [name for name in ids & (stored.keys() - states.keys()) if self._is_old(stored[name].modified)]
        for name in orphans:
            await self.storage.remove(stored[name].key)
        missing = {name for name in ids - stored.keys() if states[name] == FileStatus.READY}
        lost = [name for name in missing if await self.storage.find(f"{PREFIX}{name}") is None]
        restored = [name for name in ids & stored.keys() if states.get(name) == FileStatus.LOST]
        if lost:
            log.error("file_contents_lost", count=len(lost), first=min(lost))
        changed = await self._change_status(lost, FileStatus.READY, FileStatus.LOST)
        changed += await self._change_status(restored, FileStatus.LOST, FileStatus.READY)
        return len(orphans) + changed, end

    async def _change_status(self, names: Iterable[str], old: FileStatus, new: FileStatus) -> int:
        where = {"id__in": [UUID(name) for name in names], "status": old}
        async with self.resources.unit_of_work() as uow:
            return await FileCRUD(uow.session).update_many(where, {"status": new})

    def _is_old(self, time: datetime) -> bool:
        return time <= utc_now() - timedelta(seconds=self.resources.settings.files.orphan_seconds)


def _by_id(items: Sequence[T]) -> dict[str, T]:
    """The items by the file id in their key; items with any other key are ignored."""
    return {name: item for item in items if _is_id(name := item.key.removeprefix(PREFIX))}


def _is_id(name: str) -> bool:
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False
