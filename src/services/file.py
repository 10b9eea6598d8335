from collections.abc import AsyncGenerator, Sequence
from datetime import timedelta
from uuid import UUID

from src.core.exceptions import NotFoundError
from src.core.list_filters import PageRequest
from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.crud.file import FileCRUD
from src.models.file import File, FileStatus
from src.schemas.file import FileSummary
from src.services.actor import OwnerScope
from src.services.file_sweep import FileSweep
from src.utils.content_type import harmless
from src.utils.date import utc_now
from src.utils.filename import attachment


class FileService:
    """Uploaded files; users see their own, holders of `files.manage` see all.

    Exports of accounts are no uploads: only `AccountExportService` finds them.
    """

    def __init__(self, uow: UnitOfWork, resources: Resources) -> None:
        self.uow = uow
        self.resources = resources
        self.storage = resources.storage
        self.settings = resources.settings.files
        self.files = FileCRUD(uow.session)

    async def page(self, query: PageRequest, scope: OwnerScope) -> tuple[Sequence[FileSummary], int | None]:
        """One page of the files in the scope."""
        where = {"status": FileStatus.READY, "delete_at": None, **scope.where("owner_id")}
        return await self.files.project(FileSummary).page(query, where)

    async def get_visible(self, file_id: UUID, scope: OwnerScope) -> File:
        """A file that is ready or pending, read in a separate transaction: none stays open while the storage is used.

        Raises:
            NotFoundError: The file does not exist, or is outside the scope.
        """
        async with self.resources.unit_of_work() as uow:
            return await FileCRUD(uow.session).get_visible(file_id, scope.where("owner_id"))

    async def get(self, file_id: UUID, scope: OwnerScope) -> File:
        """A ready file, as `get_visible`.

        Raises:
            NotFoundError: The file does not exist, is not ready, or is outside the scope.
        """
        file = await self.get_visible(file_id, scope)
        if file.status != FileStatus.READY:
            raise self.files.not_found()
        return file

    async def download_url(self, file: File) -> str:
        """A signed URL from which a browser downloads the file; it expires after `FILE_DOWNLOAD_SECONDS`."""
        return await self.storage.sign_download(
            file.key,
            disposition=attachment(file.filename),
            content_type=harmless(file.content_type),
            expires=timedelta(seconds=self.settings.download_seconds),
        )

    async def open(self, file: File, offset: int, length: int) -> AsyncGenerator[bytes, None]:
        """A range of the content, in chunks. Close the generator to release its connection early.

        Raises:
            NotFoundError: The content is missing in the storage.
        """
        try:
            return await self.storage.open(file.key, offset, length)
        except NotFoundError as error:
            raise NotFoundError("The content is missing.", error="file.content_missing") from error

    async def require_content(self, file: File) -> None:
        """Check that the storage has the content.

        Raises:
            NotFoundError: It is missing.
        """
        if await self.storage.find(file.key) is None:
            raise NotFoundError("The content is missing.", error="file.content_missing")

    async def delete(self, file_id: UUID, scope: OwnerScope) -> None:
        """Delete a file, or cancel its upload. The content is deleted after the commit; if that fails, by the sweep.

        Raises:
            NotFoundError: The file does not exist, or is outside the scope.
        """
        file = await self.files.get_visible(file_id, scope.where("owner_id"))
        await self.files.update(file, {"status": FileStatus.DELETED})
        if file.leased_until <= utc_now():  # otherwise it is being completed; the sweep waits for that
            self.uow.after_commit("delete file", lambda: FileSweep(self.uow, self.resources).remove([file]))
