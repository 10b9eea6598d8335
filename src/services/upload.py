import asyncio
import hashlib
from collections.abc import Sequence
from contextlib import aclosing, suppress
from datetime import timedelta
from uuid import UUID

from src.core.exceptions import BadRequestError, ConflictError, InvalidInputError, NotFoundError
from src.core.resources import Resources
from src.core.storage.port import Part
from src.core.unit_of_work import UnitOfWork
from src.crud.file import FileCRUD
from src.models.file import PREFIX, File, FileStatus
from src.schemas.file import MAXIMUM_PARTS, FileCreate, PartResponse, UploadedPart, UploadResponse
from src.services.actor import Actor
from src.services.file_sweep import FileSweep
from src.services.upload_lease import UploadLease
from src.utils.content_type import contradicts
from src.utils.date import utc_now
from src.utils.uuid7 import uuid7


class UploadService:
    """Uploads: begun here, sent to the storage in signed parts, completed here once the content was checked."""

    def __init__(self, uow: UnitOfWork, resources: Resources) -> None:
        self.uow = uow
        self.resources = resources
        self.storage = resources.storage
        self.settings = resources.settings.files

    async def begin(self, data: FileCreate, owner_id: UUID | None) -> UploadResponse:
        """Note what is coming, and sign where to.

        Raises:
            InvalidInputError: Files of this type are not taken, or not of this size.
            ConflictError: The owner has too many open uploads.
        """
        limit = self.settings.limit_of(data.content_type)
        if limit is None:
            raise InvalidInputError("contentType", "Files of this type are not taken.")
        if data.size_bytes > limit:
            raise InvalidInputError("sizeBytes", f"Files of this type have {limit} bytes at most.")
        async with self.resources.unit_of_work() as uow:
            await self._refuse_too_many(FileCRUD(uow.session), owner_id)
        part_bytes = max(self.settings.part_bytes, -(-data.size_bytes // MAXIMUM_PARTS))
        full, rest = divmod(data.size_bytes, part_bytes)
        sizes = [part_bytes] * full + [rest] * bool(rest)
        expires = timedelta(seconds=self.settings.upload_seconds)
        file_id = uuid7()
        key = f"{PREFIX}{file_id}"
        # The storage first, so that no connection to SQL waits for it; what is begun in vain is swept.
        upload_id = await self.storage.begin_upload(key)
        urls = await self.storage.sign_parts(key, upload_id, sizes, expires)
        row = {"id": file_id, "owner_id": owner_id, "upload_id": upload_id, "part_count": len(sizes)}
        files = FileCRUD(self.uow.session)
        if owner_id is not None:
            await files.lock_owner(owner_id)
        await self._refuse_too_many(files, owner_id)  # again: others may have begun some since
        await files.create({**data.model_dump(), **row, "expires_at": utc_now() + expires})
        parts = [PartResponse(part_number=number, url=url) for number, url in enumerate(urls, 1)]
        return UploadResponse(
            id=file_id, part_size_bytes=part_bytes, parts=parts, expires_in=self.settings.upload_seconds
        )

    async def complete(self, file_id: UUID, parts: Sequence[UploadedPart], actor: Actor) -> File:
        """Make the file of its parts, and check it; a file that fails is gone. Twice is once.

        No transaction is open meanwhile: the content is read once, which takes as long as it is large.

        Raises:
            NotFoundError: There is no such file, or it is somebody else's.
            BadRequestError: Parts are missing, or not those that were sent.
            ConflictError: The upload has expired, somebody else completes it, or the content is not what was announced.
        """
        async with self.resources.unit_of_work() as uow:
            file = await FileCRUD(uow.session).get_of(file_id, actor.owner_filter)
        if file.status == FileStatus.READY:
            return file
        if file.expires_at <= utc_now():
            raise ConflictError("The upload has expired.", error="file.upload_expired")
        sent = sorted((Part(part.part_number, part.etag.strip('"')) for part in parts), key=lambda part: part.number)
        if [part.number for part in sent] != list(range(1, file.part_count + 1)):
            raise BadRequestError("All parts are needed, each once.", error="file.wrong_parts")
        async with UploadLease(self.resources, file).held() as claim:
            await self._assemble(file, sent)
            try:
                checksum = await self._checked(file, claim)
            except ConflictError:
                await FileSweep(self.uow, self.resources).discard(file)
                raise
            async with self.resources.unit_of_work() as uow:
                return await FileCRUD(uow.session).finish(file_id, checksum)

    async def _refuse_too_many(self, files: FileCRUD, owner_id: UUID | None) -> None:
        limit = self.settings.open_uploads
        if owner_id is not None and await files.count_open(owner_id) >= limit:
            raise ConflictError(
                f"No more than {limit} uploads may be open: complete or delete one.",
                error="file.too_many_uploads",
                data={"limit": limit},
            )

    async def _assemble(self, file: File, parts: Sequence[Part]) -> None:
        with suppress(NotFoundError):  # done before, by a request that did not get to its end
            await self.storage.complete_upload(file.key, file.upload_id, parts)

    async def _checked(self, file: File, claim: UploadLease) -> str:
        """The checksum of the content, if it is what was announced."""
        found = await self.storage.find(file.key)
        if found is None:
            raise ConflictError("The upload has ended.", error="file.upload_expired")
        if found.size != file.size_bytes:
            raise ConflictError("The content has another size.", error="file.size_mismatch")
        hasher = hashlib.sha256()
        head = b""
        async with aclosing(await self.storage.open(file.key)) as chunks:
            async for chunk in chunks:
                if not head:
                    head = chunk
                    if contradicts(file.content_type, head):
                        raise ConflictError("The content is of another type.", error="file.type_mismatch")
                await asyncio.to_thread(hasher.update, chunk)
                await claim.keep()
        checksum = hasher.hexdigest()
        if file.checksum_sha256 not in (None, checksum):
            raise ConflictError("The content has another checksum.", error="file.checksum_mismatch")
        return checksum
