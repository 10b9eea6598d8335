from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import structlog

from src.core.resources import Resources
from src.core.stores.errors import as_unavailable
from src.core.unit_of_work import UnitOfWork
from src.crud.file import FileCRUD
from src.models.file import File, FileStatus
from src.utils.date import utc_now

log = structlog.get_logger(__name__)

BATCH = 200
# When a file that the storage refused to delete is tried again; until then it does not block the others.
RETRY_AFTER = timedelta(hours=1)


class FileSweep:
    """Deletes files with their contents. All methods are idempotent and safe to run concurrently."""

    def __init__(self, uow: UnitOfWork, resources: Resources) -> None:
        self.uow = uow
        self.resources = resources
        self.storage = resources.storage

    async def sweep(self) -> int:
        """Delete up to 200 expired uploads and deleted files; returns how many. Enqueues a task if there are more."""
        now = utc_now()
        async with self.resources.unit_of_work() as uow:
            files = FileCRUD(uow.session)
            await files.mark_expired_deleted(now, BATCH)
            due = {"status": FileStatus.DELETED, "leased_until__lte": now}
            rows = await files.list(due, order=("expires_at",), limit=BATCH)
        removed = await self.remove(rows)
        if removed == BATCH:
            self.uow.enqueue("files.sweep")
        return removed

    async def discard(self, file: File) -> None:
        """Delete a pending file whose content failed the checks."""
        async with self.resources.unit_of_work() as uow:
            pending = {"id": file.id, "status": FileStatus.PENDING}
            await FileCRUD(uow.session).update_many(pending, {"status": FileStatus.DELETED, "leased_until": utc_now()})
            uow.after_commit("delete file", lambda: self.remove([file]))

    async def remove(self, files: Sequence[File]) -> int:
        """Delete the contents of files that are marked as deleted, then their rows; returns the number of files.

        Raises:
            Exception: The storage is unavailable (see `as_unavailable`); the other files are left for the next sweep.
        """
        removed: list[UUID] = []
        refused: list[UUID] = []
        try:
            for file in files:
                (removed if await self._remove_content(file) else refused).append(file.id)
        finally:
            async with self.resources.unit_of_work() as uow:
                rows = FileCRUD(uow.session)
                await rows.delete_many({"id__in": removed, "status": FileStatus.DELETED})
                await rows.update_many({"id__in": refused}, {"leased_until": utc_now() + RETRY_AFTER})
        return len(removed)

    async def _remove_content(self, file: File) -> bool:
        try:
            await self.storage.abort_upload(file.key, file.upload_id)
            await self.storage.remove(file.key)
        except Exception as error:
            if as_unavailable(error) is not None:
                raise
            # The storage refuses to delete this one, for example because of a retention lock; continue with the others.
            log.exception("file_not_removed", file_id=str(file.id))
            return False
        return True
