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


class UploadLease:
    """The right to complete a file, alone, for a minute at a time; no transaction stays open meanwhile.

    Whoever dies with it loses it within that minute.
    """

    def __init__(self, resources: Resources, file: File) -> None:
        self._resources = resources
        self._file_id = file.id
        self._until = file.claimed_until

    @asynccontextmanager
    async def held(self) -> AsyncIterator[Self]:
        """Hold the claim until the block ends.

        Raises:
            ConflictError: Somebody else holds it.
        """
        if self._until > utc_now() or not await self._move(LEASE):
            raise ConflictError(
                "The file is being completed.", error="file.being_completed", headers={"Retry-After": "1"}
            )
        try:
            yield self
        finally:
            await self._move(timedelta())

    async def keep(self) -> None:
        """Go on holding it; to be called at least every half minute.

        Raises:
            NotFoundError: It was lost: the file was deleted, or this process slept.
        """
        if self._until - utc_now() < LEASE / 2 and not await self._move(LEASE):
            raise NotFoundError("File not found.")

    async def _move(self, duration: timedelta) -> bool:
        until = utc_now() + duration
        async with self._resources.unit_of_work() as uow:
            moved = await FileCRUD(uow.session).extend_lease(self._file_id, self._until, until)
        self._until = until
        return moved
