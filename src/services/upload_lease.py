from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Self

from src.core.exceptions import ConflictError, NotFoundError
from src.core.resources import Resources
from src.crud.file import FileCRUD
from src.models.file import File
from src.utils.date import utc_now

LEASE = timedelta(minutes=1)


def being_completed() -> ConflictError:
    """The error for a file that another request is completing."""
    return ConflictError("The file is being completed.", error="file.being_completed", headers={"Retry-After": "1"})


class UploadLease:
    """The exclusive right to complete an upload; a lock that needs no open transaction.

    It expires after a minute unless it is renewed, so a process that dies does not block the file.
    """

    def __init__(self, resources: Resources, file: File) -> None:
        self._resources = resources
        self._file_id = file.id
        self._until = file.leased_until

    @asynccontextmanager
    async def acquired(self) -> AsyncIterator[Self]:
        """Hold the lease until the block ends.

        Raises:
            ConflictError: Another request holds it.
        """
        if self._until > utc_now() or not await self._extend(LEASE):
            raise being_completed()
        try:
            yield self
        finally:
            await self._extend(timedelta())

    async def renew(self) -> None:
        """Extend the lease if half of it has passed; call it at least every 30 seconds.

        Raises:
            NotFoundError: The lease is lost: the file was deleted, or the lease expired.
        """
        if self._until - utc_now() < LEASE / 2 and not await self._extend(LEASE):
            raise NotFoundError("File not found.")

    async def _extend(self, duration: timedelta) -> bool:
        until = utc_now() + duration
        async with self._resources.unit_of_work() as uow:
            extended = await FileCRUD(uow.session).extend_lease(self._file_id, self._until, until)
        self._until = until
        return extended
