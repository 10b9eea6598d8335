from collections.abc import AsyncGenerator, Sequence
from datetime import timedelta
from uuid import UUID

from src.core.exceptions import NotFoundError
from src.core.query import PageRequest
from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.crud.file import FileCRUD
from src.models.file import File, FileStatus
from src.schemas.file import FileSummary
from src.services.actor import Actor
from src.services.file_sweep import FileSweep
from src.utils.content_type import harmless
from src.utils.date import utc_now
from src.utils.filename import attachment


class FileService:
    """Complete files: each is its owner's, and administrators see all."""

    def __init__(self, uow: UnitOfWork, resources: Resources) -> None:
        self.uow = uow
        self.resources = resources
        self.storage = resources.storage
        self.settings = resources.settings.files
        self.files = FileCRUD(uow.session)

    async def page(self, query: PageRequest, actor: Actor) -> tuple[Sequence[FileSummary], int | None]:
        """One page of the actor's files; of all, for an administrator."""
        mine = {"owner_id": actor.owner_filter} if actor.owner_filter else {}
        return await self.files.project(FileSummary).page(query, {"status": FileStatus.READY, **mine})

    async def get(self, file_id: UUID, actor: Actor) -> File:
        """A complete file. Its transaction is over at once, so that none waits for the content.

        Raises:
            NotFoundError: There is none, or it is somebody else's.
        """
        async with self.resources.unit_of_work() as uow:
            file = await FileCRUD(uow.session).get_of(file_id, actor.owner_filter)
        if file.status != FileStatus.READY:
            raise self.files.not_found()
        return file

    async def download_url(self, file: File) -> str:
        """A URL by which a browser saves the file, for a while."""
        return await self.storage.sign_download(
            file.key,
            disposition=attachment(file.filename),
            content_type=harmless(file.content_type),
            expires=timedelta(seconds=self.settings.download_seconds),
        )

    async def open(self, file: File, offset: int, length: int) -> AsyncGenerator[bytes, None]:
        """Part of the content, in chunks; close it to free its connection before the end.

        Raises:
            NotFoundError: The storage has lost it.
        """
        try:
            return await self.storage.open(file.key, offset, length)
        except NotFoundError as error:
            raise NotFoundError("The content is missing.", error="file.content_missing") from error

    async def delete(self, file_id: UUID, actor: Actor) -> None:
        """Remove a file, or cancel its upload. Its content goes after the commit; by the sweep, where that fails.

        Raises:
            NotFoundError: There is none, or it is somebody else's.
        """
        file = await self.files.get_of(file_id, actor.owner_filter)
        await self.files.update(file, {"status": FileStatus.DELETED})
        if file.claimed_until <= utc_now():  # else it is left to the sweep, which waits for whoever completes it
            self.uow.after_commit("remove file", lambda: FileSweep(self.uow, self.resources).remove([file]))
