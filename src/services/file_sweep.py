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

SWEPT_AT_ONCE = 200
# What the storage refuses to remove is left alone for so long, and does not stand in the way of others.
PAUSE = timedelta(hours=1)


class FileSweep:
    """Removes what is over: rows and their contents. Everything here may run twice, and at the same time."""

    def __init__(self, uow: UnitOfWork, resources: Resources) -> None:
        self.uow = uow
        self.resources = resources
        self.storage = resources.storage

    async def sweep(self) -> int:
        """Remove expired uploads and deleted files, 200 at most; returns how many. More are left to a next task."""
        now = utc_now()
        async with self.resources.unit_of_work() as uow:
            files = FileCRUD(uow.session)
            await files.mark_expired_deleted(now, SWEPT_AT_ONCE)
            condemned = {"status": FileStatus.DELETED, "claimed_until__lte": now}
            rows = await files.list(condemned, order=("expires_at",), limit=SWEPT_AT_ONCE)
        removed = await self.remove(rows)
        if removed == SWEPT_AT_ONCE:
            self.uow.enqueue("files.sweep")
        return removed

    async def discard(self, file: File) -> None:
        """Delete a file whose content was refused."""
        async with self.resources.unit_of_work() as uow:
            refused = {"id": file.id, "status": FileStatus.PENDING}
            await FileCRUD(uow.session).update_many(refused, {"status": FileStatus.DELETED, "claimed_until": utc_now()})
            uow.after_commit("remove file", lambda: self.remove([file]))

    async def remove(self, files: Sequence[File]) -> int:
        """Remove the contents of deleted files, and then their rows; returns how many.

        Raises:
            ServiceUnavailableError: The storage is away, or what `as_unavailable` makes one of; the rest stays.
        """
        gone: list[UUID] = []
        refused: list[UUID] = []
        try:
            for file in files:
                (gone if await self._removed(file) else refused).append(file.id)
        finally:
            async with self.resources.unit_of_work() as uow:
                rows = FileCRUD(uow.session)
                await rows.delete_many({"id__in": gone, "status": FileStatus.DELETED})
                await rows.update_many({"id__in": refused}, {"claimed_until": utc_now() + PAUSE})
        return len(gone)

    async def _removed(self, file: File) -> bool:
        try:
            await self.storage.abort_upload(file.key, file.upload_id)
            await self.storage.remove(file.key)
        except Exception as error:
            if as_unavailable(error) is not None:
                raise
            # The server refuses this one, such as by a retention lock: the others are not kept waiting for it.
            log.exception("file_not_removed", file_id=str(file.id))
            return False
        return True
