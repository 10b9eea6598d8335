import asyncio
import hashlib
import zipfile
from collections.abc import Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import BinaryIO, cast
from uuid import UUID

import structlog
from pydantic import BaseModel

from src.core.exceptions import InvalidInputError, NotFoundError, UnauthorizedError
from src.core.resources import Resources
from src.core.storage.port import Part
from src.core.unit_of_work import UnitOfWork
from src.crud.file import FileCRUD
from src.crud.user import UserCRUD
from src.models.file import PREFIX, File, FileStatus
from src.services.email import EmailService
from src.services.export_parts import Records, export_parts
from src.services.file_sweep import FileSweep
from src.utils.date import utc_now
from src.utils.uuid7 import uuid7

log = structlog.get_logger(__name__)

# Of an upload; S3 wants 5 MiB at least.
PART_BYTES = 8 * 1024**2
# An export that is not complete by then was interrupted: the sweep removes it.
WRITING = timedelta(days=1)


class AccountExportService:
    """Writes the data of an account into a file of that account, which is deleted after some days."""

    def __init__(self, uow: UnitOfWork, resources: Resources) -> None:
        self.uow = uow
        self.resources = resources
        self.storage = resources.storage
        self.files = FileCRUD(uow.session)
        self.emails = EmailService(uow, resources)

    def request(self, user_id: UUID) -> UUID:
        """Have the export written by a task; returns the id of the run."""
        return self.uow.enqueue("accounts.export", user_id=str(user_id), requested_at=utc_now().isoformat())

    async def latest(self, user_id: UUID) -> File:
        """The user's newest export.

        Raises:
            NotFoundError: There is none.
        """
        ready = {"owner_id": user_id, "status": FileStatus.READY, "delete_at__gt": utc_now()}
        exports = await self.files.list(ready, order=("-create_time",), limit=1)
        if not exports:
            raise NotFoundError("There is no export.", error="account.no_export")
        return exports[0]

    async def write(self, user_id: UUID, requested_at: datetime | None = None) -> UUID | None:
        """Write the export, and tell the user; returns the id of the file.

        Its row comes first: whatever ends the writing, the sweep finds and removes what is in the storage.

        Args:
            user_id: The user.
            requested_at: When they asked for it: what was written since then is not written again.

        Returns:
            None if the user is gone, or the export was written already.
        """
        now, file_id = utc_now(), uuid7()
        requested_at = requested_at or now
        kept = timedelta(days=self.resources.settings.auth.export_days or 1)
        async with self.resources.unit_of_work() as uow:  # it holds no connection while it writes
            if requested_at + kept < now or await _was_written(FileCRUD(uow.session), user_id, requested_at):
                return None
        upload = _Upload(self.resources, f"{PREFIX}{file_id}")
        delete_at = now + kept
        try:
            file = await self._add(file_id, user_id, upload, max(now, requested_at), delete_at)  # clocks may differ
        except InvalidInputError:  # no such user
            return None
        try:
            await _write_zip(upload, self.resources, user_id)
            await upload.complete()
            await self._mark_ready(file, user_id, upload, requested_at)
        except BaseException as error:
            await FileSweep(self.uow, self.resources).discard(file)
            if isinstance(error, UnauthorizedError | NotFoundError):  # the user was disabled or deleted
                log.info("account_not_exported", user_id=str(user_id))
                return None
            raise
        self.emails.send_notice(user_id, "export_ready", until=f"{delete_at:%Y-%m-%d %H:%M} UTC")
        return file_id

    async def _add(self, file_id: UUID, user_id: UUID, upload: "_Upload", now: datetime, delete_at: datetime) -> File:
        fields = {
            "id": file_id,
            "owner_id": user_id,
            "filename": f"account-{now:%Y-%m-%d}.zip",
            "content_type": "application/zip",
            "size_bytes": 0,
            "upload_id": await upload.begin(),
            "part_count": 0,
            "part_bytes": PART_BYTES,
            "create_time": now,
            "expires_at": now + WRITING,
            "delete_at": delete_at,
        }
        try:
            async with self.resources.unit_of_work() as uow:
                return await FileCRUD(uow.session).create(fields)
        except BaseException:
            await upload.abort()
            raise

    async def _mark_ready(self, file: File, user_id: UUID, upload: "_Upload", requested_at: datetime) -> None:
        await UserCRUD(self.uow.session).lock(user_id)  # of two runs that wrote at once, one gets here first
        if await _was_written(self.files, user_id, requested_at):
            raise self.files.not_found()
        written = {
            "status": FileStatus.READY,
            "size_bytes": upload.size,
            "checksum_sha256": upload.checksum,
            "part_count": len(upload.parts),
        }
        if not await self.files.update_many({"id": file.id, "status": FileStatus.PENDING}, written):
            raise self.files.not_found()


async def _was_written(files: FileCRUD, user_id: UUID, requested_at: datetime) -> bool:
    """Whether the export of this request is there, or that of a later one."""
    exports = {"owner_id": user_id, "status": FileStatus.READY, "delete_at__null": False}
    return await files.exists({**exports, "create_time__gte": requested_at})


class _Upload:
    """An object that is uploaded while it is written; for `ZipFile`, a file without positions."""

    def __init__(self, resources: Resources, key: str) -> None:
        self.storage = resources.storage
        self.key = key
        self.id = ""
        self.parts: list[Part] = []
        self.size = 0
        self._hash = hashlib.sha256()
        self._buffer = bytearray()

    @property
    def checksum(self) -> str:
        return self._hash.hexdigest()

    def write(self, data: bytes) -> int:
        self._buffer += data
        self._hash.update(data)
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Nothing to do: `send` sends whole parts."""

    async def begin(self) -> str:
        self.id = await self.storage.begin_upload(self.key)
        return self.id

    async def send(self, *, everything: bool = False) -> None:
        """Upload the parts that are full, or all that is left."""
        while len(self._buffer) >= PART_BYTES or (everything and self._buffer):
            data = bytes(self._buffer[:PART_BYTES])
            self.parts.append(await self.storage.put_part(self.key, self.id, len(self.parts) + 1, data))
            del self._buffer[:PART_BYTES]

    async def complete(self) -> None:
        await self.send(everything=True)
        await self.storage.complete_upload(self.key, self.id, self.parts)

    async def abort(self) -> None:
        await self.storage.abort_upload(self.key, self.id)


async def _write_zip(upload: _Upload, resources: Resources, user_id: UUID) -> None:
    # `ZipFile` needs no more of a file than `write` and `flush`.
    with zipfile.ZipFile(cast(BinaryIO, upload), "w", zipfile.ZIP_DEFLATED) as archive:
        async with aclosing(export_parts(resources, user_id)) as parts:
            async for name, records in parts:
                await _write_part(archive, name, records, upload)


async def _write_part(archive: zipfile.ZipFile, name: str, records: Records, upload: _Upload) -> None:
    """Write a JSON array, one record a line."""
    with archive.open(f"{name}.json", "w", force_zip64=True) as entry:
        begin = b"[\n"
        async for batch in records:
            if batch:
                # In a thread, since compressing takes as long as reading.
                await asyncio.to_thread(entry.write, begin + _lines(batch))
                begin = b",\n"
                await upload.send()
        entry.write(b"\n]\n" if begin == b",\n" else b"[]\n")


def _lines(records: Sequence[BaseModel]) -> bytes:
    return b",\n".join(record.model_dump_json(by_alias=True).encode() for record in records)
