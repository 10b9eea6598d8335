import asyncio
import hashlib
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from src.core.database import Resources
from src.core.exceptions import BadRequestError, ConflictError, InvalidInputError, NotFoundError
from src.core.query import PageRequest
from src.core.storage import Part
from src.core.unit_of_work import UnitOfWork
from src.crud.file import FileCRUD
from src.models.file import File, FileStatus
from src.schemas.file import MAXIMUM_PARTS, FileCreate, PartResponse, UploadedPart, UploadResponse
from src.services.authority import Authority
from src.utils.date import utc_now
from src.utils.filename import attachment
from src.utils.uuid7 import uuid7


class FileService:
    """Files: each is its owner's, and administrators see all."""

    def __init__(self, uow: UnitOfWork, resources: Resources) -> None:
        self.uow = uow
        self.resources = resources
        self.storage = resources.storage
        self.settings = resources.settings.files
        self.files = FileCRUD(uow.session)

    async def begin(self, data: FileCreate, owner_id: UUID) -> UploadResponse:
        """Note what is coming, and sign where to.

        Raises:
            InvalidInputError: Files of this type are not taken, or not of this size.
        """
        limit = self.settings.limit_of(data.content_type)
        if limit is None:
            raise InvalidInputError("contentType", "Files of this type are not taken.")
        if data.size_bytes > limit:
            raise InvalidInputError("sizeBytes", f"Files of this type have {limit} bytes at most.")
        part_bytes = max(self.settings.part_bytes, -(-data.size_bytes // MAXIMUM_PARTS))
        full, rest = divmod(data.size_bytes, part_bytes)
        sizes = [part_bytes] * full + [rest] * bool(rest)
        expires = timedelta(seconds=self.settings.upload_seconds)
        file_id = uuid7()
        key = f"files/{file_id}"
        # The storage first, so that no connection to SQL waits for it; what is begun in vain is swept.
        upload_id = await self.storage.begin_upload(key)
        urls = await self.storage.sign_parts(key, upload_id, sizes, expires)
        row = {"id": file_id, "owner_id": owner_id, "upload_id": upload_id, "part_count": len(sizes)}
        await self.files.create({**data.model_dump(), **row, "expires_at": utc_now() + expires})
        parts = [PartResponse(part_number=number, url=url) for number, url in enumerate(urls, 1)]
        return UploadResponse(
            id=file_id, part_size_bytes=part_bytes, parts=parts, expires_in=self.settings.upload_seconds
        )

    async def complete(self, file_id: UUID, parts: Sequence[UploadedPart], actor: Authority) -> File:
        """Make the file of its parts, and check it; a file that fails is gone.

        No transaction is open meanwhile: the content is read once, which takes as long as it is large.

        Raises:
            NotFoundError: There is no such file, or it is somebody else's.
            BadRequestError: Parts are missing, or not those that were sent.
            ConflictError: The upload has expired, or the content is not what was announced.
        """
        async with self.resources.unit_of_work() as uow:
            file = await self._visible(FileCRUD(uow.session), file_id, actor)
        if file.status == FileStatus.READY:
            return file
        if file.expires_at <= utc_now():
            raise ConflictError("The upload has expired.", error="file.upload_expired")
        sent = sorted((Part(part.part_number, part.etag.strip('"')) for part in parts), key=lambda part: part.number)
        if [part.number for part in sent] != list(range(1, file.part_count + 1)):
            raise BadRequestError("All parts are needed, each once.", error="file.wrong_parts")
        await self._assemble(file, sent)
        checksum = await self._digest(file)
        if file.checksum_sha256 not in (None, checksum):
            await self._discard(file)
            raise ConflictError("The content has another checksum.", error="file.checksum_mismatch")
        async with self.resources.unit_of_work() as uow:
            return await FileCRUD(uow.session).mark_ready(file_id, checksum)

    async def _assemble(self, file: File, parts: Sequence[Part]) -> None:
        try:
            await self.storage.complete_upload(file.key, file.upload_id, parts)
        except NotFoundError:
            # Done before, by a request whose answer was lost.
            if await self.storage.find(file.key) is None:
                raise ConflictError("The upload has ended.", error="file.upload_expired") from None

    async def _digest(self, file: File) -> str:
        hasher = hashlib.sha256()
        async for chunk in await self.storage.open(file.key):
            await asyncio.to_thread(hasher.update, chunk)
        return hasher.hexdigest()

    async def _discard(self, file: File) -> None:
        await self.storage.remove(file.key)
        async with self.resources.unit_of_work() as uow:
            files = FileCRUD(uow.session)
            await files.delete(await files.get(file.id))

    async def page(self, query: PageRequest, actor: Authority) -> tuple[Sequence[File], int | None]:
        """One page of the actor's complete files; of all, for an administrator."""
        mine = {} if actor.is_admin else {"owner_id": actor.user_id}
        return await self.files.page(query, {"status": FileStatus.READY, **mine})

    async def get(self, file_id: UUID, actor: Authority) -> File:
        """A complete file.

        Raises:
            NotFoundError: There is none, or it is somebody else's.
        """
        file = await self._visible(self.files, file_id, actor)
        if file.status != FileStatus.READY:
            raise NotFoundError("File not found.")
        return file

    async def download_url(self, file: File) -> str:
        """A URL by which a browser saves the file, for a while."""
        expires = timedelta(seconds=self.settings.download_seconds)
        disposition = attachment(file.filename)
        return await self.storage.sign_download(
            file.key, disposition=disposition, content_type=file.content_type, expires=expires
        )

    async def delete(self, file_id: UUID, actor: Authority) -> None:
        """Remove a file, or cancel its upload.

        Raises:
            NotFoundError: There is none, or it is somebody else's.
        """
        file = await self._visible(self.files, file_id, actor)
        await self.files.delete(file)
        self.uow.after_commit("remove file", lambda: self._remove(file.key, file.upload_id))

    async def _remove(self, key: str, upload_id: str) -> None:
        await self.storage.abort_upload(key, upload_id)
        await self.storage.remove(key)

    async def _visible(self, files: FileCRUD, file_id: UUID, actor: Authority) -> File:
        file = await files.get(file_id)
        if file.owner_id != actor.user_id and not actor.is_admin:
            raise NotFoundError("File not found.")
        return file
