from collections.abc import Sequence
from typing import ClassVar
from uuid import UUID

from sqlmodel import col, func, select, update

from src.core.exceptions import NotFoundError
from src.crud.base import BaseSQLModelCRUD, PageRequest
from src.models.file import File, FileStatus


class FileCRUD(BaseSQLModelCRUD[File]):
    """Files."""

    model: ClassVar[type[File]] = File
    sortable: ClassVar[tuple[str, ...]] = ("create_time", "filename", "size_bytes")

    async def page_of(self, owner_id: UUID | None, query: PageRequest) -> tuple[Sequence[File], int]:
        """One page of the owner's complete files, or of everybody's."""
        wanted = select(File).where(File.status == FileStatus.READY)
        if owner_id is not None:
            wanted = wanted.where(File.owner_id == owner_id)
        if query.keyword:
            wanted = wanted.where(col(File.filename).icontains(query.keyword, autoescape=True))
        total = (await self.session.exec(select(func.count()).select_from(wanted.subquery()))).one()
        ordered = wanted.order_by(*self._order(query.sort))
        rows = await self.session.exec(ordered.offset((query.page - 1) * query.page_size).limit(query.page_size))
        return rows.all(), total

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
