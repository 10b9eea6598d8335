from typing import ClassVar
from uuid import UUID

from sqlmodel import col, update

from src.core.exceptions import NotFoundError
from src.crud.crud_sqlmodel import BaseSQLModelCRUD
from src.models.file import File, FileStatus


class FileCRUD(BaseSQLModelCRUD[File]):
    """Files."""

    model: ClassVar[type[File]] = File

    async def mark_ready(self, file_id: UUID, checksum: str) -> File:
        """Note that the content is there.

        Raises:
            NotFoundError: The file was deleted meanwhile.
        """
        ready = update(File).where(col(File.id) == file_id).values(status=FileStatus.READY, checksum_sha256=checksum)
        row: File | None = (await self.session.exec(ready.returning(File))).scalar_one_or_none()
        if row is None:
            raise NotFoundError("File not found.")
        return row
