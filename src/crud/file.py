from datetime import UTC, datetime
from typing import ClassVar
from uuid import UUID

from sqlmodel import col, func, select

from src.core.exceptions import NotFoundError
from src.core.list_filters import Where
from src.crud.crud_sqlmodel import BaseSQLModelCRUD
from src.models.file import File, FileStatus
from src.utils.date import utc_now

VISIBLE = {FileStatus.PENDING, FileStatus.READY}


class FileCRUD(BaseSQLModelCRUD[File]):
    """Files."""

    model: ClassVar[type[File]] = File

    async def get_visible(self, file_id: UUID, where: Where) -> File:
        """An uploaded file that is pending or ready, if it matches `where`; no export.

        Raises:
            NotFoundError: There is no such file.
        """
        return await self.get(file_id, {"status__in": VISIBLE, "delete_at": None, **where})

    async def count_open(self, owner_id: UUID) -> int:
        """The number of the owner's pending uploads."""
        return await self.count({"owner_id": owner_id, "status": FileStatus.PENDING, "delete_at": None})

    async def stored_bytes(self, owner_id: UUID) -> int:
        """The declared size of the owner's files and pending uploads together."""
        owned = select(func.sum(File.size_bytes)).where(File.owner_id == owner_id, col(File.status).in_(VISIBLE))
        return int((await self.session.exec(owned)).one() or 0)

    async def mark_owned_deleted(self, owner_id: UUID) -> int:
        """Mark all files and uploads of an owner as deleted, and return their number; the sweep removes them."""
        return await self.update_many({"owner_id": owner_id}, {"status": FileStatus.DELETED})

    async def mark_exports_deleted(self, owner_id: UUID) -> int:
        """Mark the exports of an account as deleted, also one that is being written; the sweep removes them."""
        exports = {"owner_id": owner_id, "delete_at__gt": datetime.min.replace(tzinfo=UTC)}
        return await self.update_many(exports, {"status": FileStatus.DELETED})

    async def extend_lease(self, file_id: UUID, current: datetime, until: datetime) -> bool:
        """Set the end of a pending file's lease; False if the lease no longer ends at `current`."""
        where = {"id": file_id, "status": FileStatus.PENDING, "leased_until": current}
        return await self.update_many(where, {"leased_until": until}) == 1

    async def mark_ready(self, file_id: UUID, checksum: str) -> File:
        """Mark a pending file as ready; idempotent.

        Raises:
            NotFoundError: The file was deleted in the meantime.
        """
        ready = {"status": FileStatus.READY, "checksum_sha256": checksum, "leased_until": utc_now()}
        await self.update_many({"id": file_id, "status": FileStatus.PENDING}, ready)
        file = await self.get(file_id)
        if file.status != FileStatus.READY:
            raise NotFoundError("File not found.")
        return file

    async def mark_expired_deleted(self, now: datetime, limit: int) -> None:
        """Mark up to `limit` expired uploads as deleted, except those that are being completed; also outdated files."""
        expired = {"status": FileStatus.PENDING, "expires_at__lte": now, "leased_until__lte": now}
        rows = await self.list(expired, order=("expires_at",), limit=limit)
        if rows:
            # The condition again, since one of them may have been leased in the meantime.
            await self.update_many({**expired, "id__in": [row.id for row in rows]}, {"status": FileStatus.DELETED})
        outdated = await self.list({"delete_at__lte": now}, order=("delete_at",), limit=limit)
        changes = {"status": FileStatus.DELETED, "delete_at": None}
        if outdated:
            await self.update_many({"id__in": [row.id for row in outdated]}, changes)
