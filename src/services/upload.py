import asyncio
import hashlib
from collections.abc import Sequence
from contextlib import aclosing, suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

from src.core.exceptions import BadRequestError, ConflictError, InvalidInputError, NotFoundError
from src.core.resources import Resources
from src.core.storage.port import Part
from src.core.unit_of_work import UnitOfWork
from src.crud.file import FileCRUD
from src.crud.user import UserCRUD
from src.models.file import PREFIX, File, FileStatus
from src.schemas.file import (
    MAXIMUM_PARTS,
    FileCreate,
    OpenUploadResponse,
    PartResponse,
    SentPart,
    UploadedPart,
    UploadResponse,
)
from src.services.actor import OwnerScope
from src.services.file_sweep import FileSweep
from src.services.upload_lease import UploadLease, being_completed
from src.utils.content_type import contradicts
from src.utils.date import utc_now
from src.utils.uuid7 import uuid7


class UploadService:
    """Multipart uploads: clients PUT the parts directly to the storage; completing an upload checks the content."""

    def __init__(self, uow: UnitOfWork, resources: Resources) -> None:
        self.uow = uow
        self.resources = resources
        self.storage = resources.storage
        self.settings = resources.settings.files

    async def begin(self, data: FileCreate, owner_id: UUID | None) -> UploadResponse:
        """Register a pending file, and sign the URLs of its parts.

        Raises:
            InvalidInputError: Files of this type are not allowed, or the file is too large.
            ConflictError: The owner has too many pending uploads, or too many bytes.
        """
        limit = self.settings.limit_of(data.content_type)
        if limit is None:
            raise InvalidInputError("contentType", "Files of this type are not allowed.")
        if data.size_bytes > limit:
            raise InvalidInputError("sizeBytes", f"Files of this type may have at most {limit} bytes.")
        async with self.resources.unit_of_work() as uow:
            await self._check_limits(FileCRUD(uow.session), owner_id, data.size_bytes)
        part_bytes = max(self.settings.part_bytes, -(-data.size_bytes // MAXIMUM_PARTS))
        expires = timedelta(seconds=self.settings.upload_seconds)
        file_id = uuid7()
        key = f"{PREFIX}{file_id}"
        # The storage comes first, so that no SQL connection waits for it. If the rest fails, the upload is swept.
        upload_id = await self.storage.begin_upload(key)
        parts = await self._sign(key, upload_id, data.size_bytes, part_bytes, expires)
        row: dict[str, Any] = {"id": file_id, "owner_id": owner_id, "upload_id": upload_id}
        row |= {"part_count": len(parts), "part_bytes": part_bytes}
        files = FileCRUD(self.uow.session)
        if owner_id is not None:
            await UserCRUD(self.uow.session).lock(owner_id)
        await self._check_limits(files, owner_id, data.size_bytes)  # again, now that concurrent uploads are locked out
        await files.create({**data.model_dump(), **row, "expires_at": utc_now() + expires})
        return UploadResponse(
            id=file_id, part_size_bytes=part_bytes, parts=parts, expires_in=self.settings.upload_seconds
        )

    async def resume(self, file: File, caller_id: UUID) -> OpenUploadResponse:
        """The parts of a pending file that were sent, and new URLs for all of them.

        Raises:
            NotFoundError: It is somebody else's, or has expired.
            ConflictError: The file is being completed.
        """
        left = file.expires_at - utc_now()
        if file.owner_id != caller_id or file.part_bytes is None or left < timedelta(seconds=1):
            raise NotFoundError("File not found.")
        if file.leased_until > utc_now():
            raise being_completed()
        sent = await self.storage.sent_parts(file.key, file.upload_id)
        return OpenUploadResponse(
            id=file.id,
            part_size_bytes=file.part_bytes,
            parts=await self._sign(file.key, file.upload_id, file.size_bytes, file.part_bytes, left),
            expires_in=int(left.total_seconds()),
            sent=[SentPart(part_number=part.number, etag=part.etag) for part in sent],
        )

    async def _sign(
        self, key: str, upload_id: str, size: int, part_bytes: int, expires: timedelta
    ) -> list[PartResponse]:
        full, rest = divmod(size, part_bytes)
        sizes = [part_bytes] * full + [rest] * bool(rest)
        urls = await self.storage.sign_parts(key, upload_id, sizes, expires)
        return [PartResponse(part_number=number, url=url) for number, url in enumerate(urls, 1)]

    async def complete(self, file_id: UUID, parts: Sequence[UploadedPart], scope: OwnerScope) -> File:
        """Assemble the file from its parts and check the content; a file that fails is deleted. Idempotent.

        The content is read in full, which takes time: no transaction is open meanwhile.

        Raises:
            NotFoundError: The file does not exist, or is outside the scope.
            BadRequestError: Parts are missing, or do not match the uploaded ones.
            ConflictError: The upload has expired, is being completed by another request, or the content does not match
                what was declared.
        """
        async with self.resources.unit_of_work() as uow:
            file = await FileCRUD(uow.session).get_visible(file_id, scope.where("owner_id"))
        if file.status == FileStatus.READY:
            return file
        if file.expires_at <= utc_now():
            raise ConflictError("The upload has expired.", error="file.upload_expired")
        sent = sorted((Part(part.part_number, part.etag.strip('"')) for part in parts), key=lambda part: part.number)
        if [part.number for part in sent] != list(range(1, file.part_count + 1)):
            raise BadRequestError("Every part must be listed exactly once.", error="file.wrong_parts")
        async with UploadLease(self.resources, file).acquired() as lease:
            await self._assemble(file, sent)
            try:
                checksum = await self._checked_checksum(file, lease)
            except ConflictError:
                await FileSweep(self.uow, self.resources).discard(file)
                raise
            async with self.resources.unit_of_work() as uow:
                return await FileCRUD(uow.session).mark_ready(file_id, checksum)

    async def _check_limits(self, files: FileCRUD, owner_id: UUID | None, size: int) -> None:
        limit = self.settings.open_uploads
        if owner_id is not None and await files.count_open(owner_id) >= limit:
            raise ConflictError(
                f"You have {limit} pending uploads, which is the limit: complete or delete one.",
                error="file.too_many_uploads",
                data={"limit": limit},
            )
        limit = self.settings.bytes_per_user
        if owner_id is not None and await files.stored_bytes(owner_id) + size > limit:
            raise ConflictError(
                f"Your files would have more than {limit} bytes: delete some.",
                error="file.too_many_bytes",
                data={"limit": limit},
            )

    async def _assemble(self, file: File, parts: Sequence[Part]) -> None:
        with suppress(NotFoundError):  # already assembled, by a request that was interrupted
            await self.storage.complete_upload(file.key, file.upload_id, parts)

    async def _checked_checksum(self, file: File, lease: UploadLease) -> str:
        """The checksum of the content, after checking that the content matches what was declared."""
        stored = await self.storage.find(file.key)
        if stored is None:
            raise ConflictError("The uploaded content no longer exists.", error="file.upload_expired")
        if stored.size != file.size_bytes:
            raise ConflictError("The content does not have the declared size.", error="file.size_mismatch")
        hasher = hashlib.sha256()
        head = b""
        async with aclosing(await self.storage.open(file.key)) as chunks:
            async for chunk in chunks:
                if not head:
                    head = chunk
                    if contradicts(file.content_type, head):
                        raise ConflictError("The content does not have the declared type.", error="file.type_mismatch")
                await asyncio.to_thread(hasher.update, chunk)
                await lease.renew()
        checksum = hasher.hexdigest()
        if file.checksum_sha256 not in (None, checksum):
            raise ConflictError("The content does not have the declared checksum.", error="file.checksum_mismatch")
        return checksum
