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
    """Compares the table with the storage, where they can part: by a crash, or by a backup of one of them.

    Everything here may run twice, and at the same time. Rows are never deleted: contents can come back.
    """

    def __init__(self, uow: UnitOfWork, resources: Resources) -> None:
        self.uow = uow
        self.resources = resources
        self.storage = resources.storage

    async def run(self, after: str = "") -> int:
        """Compare the next 1,000 files, in the order of their ids, and leave the rest to a next task.

        Args:
            after: The id that the page before ended with; empty at the beginning.

        Returns:
            How many objects were removed and rows changed.
        """
        strays = 0 if after else await self.abort_strays()
        differences, end = await self._compare(after)
        if end:
            self.uow.enqueue("files.reconcile", after=end)
        return strays + differences

    async def abort_strays(self) -> int:
        """Abort old uploads that no pending file has, 1,000 at most; returns how many."""
        old = {
            name: item for name, item in _by_id(await self.storage.uploads(PREFIX)).items() if self._is_old(item.begun)
        }
        async with self.resources.unit_of_work() as uow:
            awaited = {"status": FileStatus.PENDING, "id__in": [UUID(name) for name in old]}
            pending = {str(file.id) for file in await FileCRUD(uow.session).list(awaited)}
        strays = [upload for name, upload in old.items() if name not in pending]
        for upload in strays:
            await self.storage.abort_upload(upload.key, upload.id)
        return len(strays)

    async def _compare(self, after: str) -> tuple[int, str]:
        # The rows first: a content that was there by then is among the objects, too.
        async with self.resources.unit_of_work() as uow:
            beyond = {"id__gt": UUID(after)} if after else {}
            rows = await FileCRUD(uow.session).list(beyond, order=("id",), limit=BATCH)
        objects = await self.storage.objects(PREFIX, f"{PREFIX}{after}" if after else "")
        states = {str(row.id): row.status for row in rows}
        stored = _by_id(objects)
        # A full list says nothing of what lies beyond its end.
        end = min(
            (max(ids) for ids, page in ((states, rows), (stored, objects)) if ids and len(page) >= BATCH), default=""
        )
        ids = {name for name in states.keys() | stored.keys() if not end or name <= end}

        orphans = [name for name in ids & (stored.keys() - states.keys()) if self._is_old(stored[name].modified)]
        for name in orphans:
            await self.storage.remove(stored[name].key)
        missing = {name for name in ids - stored.keys() if states[name] == FileStatus.READY}
        lost = [name for name in missing if await self.storage.find(f"{PREFIX}{name}") is None]
        found = [name for name in ids & stored.keys() if states.get(name) == FileStatus.LOST]
        if lost:
            log.error("file_contents_lost", count=len(lost), first=min(lost))
        changed = await self._turn(lost, FileStatus.READY, FileStatus.LOST)
        changed += await self._turn(found, FileStatus.LOST, FileStatus.READY)
        return len(orphans) + changed, end

    async def _turn(self, names: Iterable[str], status: FileStatus, into: FileStatus) -> int:
        where = {"id__in": [UUID(name) for name in names], "status": status}
        async with self.resources.unit_of_work() as uow:
            return await FileCRUD(uow.session).update_many(where, {"status": into})

    def _is_old(self, moment: datetime) -> bool:
        return moment <= utc_now() - timedelta(seconds=self.resources.settings.files.orphan_seconds)


def _by_id(items: Sequence[T]) -> dict[str, T]:
    """By the id that each has in its key; another key is none of ours."""
    return {name: item for item in items if _is_id(name := item.key.removeprefix(PREFIX))}


def _is_id(name: str) -> bool:
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False
