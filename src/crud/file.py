from datetime import datetime
from typing import ClassVar
from uuid import UUID

from sqlmodel import select

from src.core.exceptions import NotFoundError
from src.crud.crud_sqlmodel import BaseSQLModelCRUD
from src.models.file import File, FileStatus
from src.models.user import User
from src.utils.date import utc_now

SEEN = {FileStatus.PENDING, FileStatus.READY}


class FileCRUD(BaseSQLModelCRUD[File]):
    """Files."""

    model: ClassVar[type[File]] = File

    async def get_of(self, file_id: UUID, owner_id: UUID | None) -> File:
        """A file that is uploaded or being so; of any owner, if None is given.

        Raises:
            NotFoundError: There is none, or it is somebody else's.
        """
        file = await self.get(file_id)
        if file.status not in SEEN or owner_id not in (None, file.owner_id):
            raise self.not_found()
        return file

    async def count_open(self, owner_id: UUID) -> int:
        """How many uploads of this owner were begun and neither completed nor deleted."""
        return await self.count({"owner_id": owner_id, "status": FileStatus.PENDING})

    async def lock_owner(self, owner_id: UUID) -> None:
        """Let nobody else begin an upload for this owner until the transaction ends."""
        await self.session.exec(select(User.id).where(User.id == owner_id).with_for_update(key_share=True))

    async def extend_lease(self, file_id: UUID, seen: datetime, until: datetime) -> bool:
        """Claim a pending file until then, if nobody has moved the claim since it was seen."""
        where = {"id": file_id, "status": FileStatus.PENDING, "claimed_until": seen}
        return await self.update_many(where, {"claimed_until": until}) == 1

    async def finish(self, file_id: UUID, checksum: str) -> File:
        """Note that the content is there; twice is once.

        Raises:
            NotFoundError: The file was deleted meanwhile.
        """
        ready = {"status": FileStatus.READY, "checksum_sha256": checksum, "claimed_until": utc_now()}
        await self.update_many({"id": file_id, "status": FileStatus.PENDING}, ready)
        file = await self.get(file_id)
        if file.status != FileStatus.READY:
            raise NotFoundError("File not found.")
        return file

    async def mark_expired_deleted(self, now: datetime, limit: int) -> None:
        """Delete uploads that are past their time and that nobody is completing; as many as the limit."""
        late = {"status": FileStatus.PENDING, "expires_at__lte": now, "claimed_until__lte": now}
        rows = await self.list(late, order=("expires_at",), limit=limit)
        # The condition again: somebody may have claimed one since.
        await self.update_many({**late, "id__in": [row.id for row in rows]}, {"status": FileStatus.DELETED})
