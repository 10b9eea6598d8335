from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from src.core.exceptions import InvalidInputError
from src.core.unit_of_work import UnitOfWork
from src.crud.notice import NoticeCRUD
from src.models.notice import Notice, NoticeStatus
from src.schemas.notice import NoticeCreate, NoticeResponse, NoticeUpdate
from src.utils.date import utc_now

NEWEST = 100


class NoticeService:
    """Publishes notices, shows and changes them, and lets them expire."""

    def __init__(self, uow: UnitOfWork) -> None:
        self.uow = uow
        self.notices = NoticeCRUD(uow.session)

    async def publish(self, data: NoticeCreate, author_id: UUID | None = None) -> Notice:
        """Store a notice; its announcement leaves once the transaction commits.

        Raises:
            InvalidInputError: `expiresAt` is not in the future.
        """
        _check_expiry(data.expires_at)
        notice = await self._notices_by(author_id).create(data)
        self.uow.enqueue("notices.announce", notice_id=str(notice.id))
        return notice

    async def update(
        self, notice_id: UUID, data: NoticeUpdate, author_id: UUID | None = None, *, version: int | None = None
    ) -> Notice:
        """Change what is given, if it still has the version that the author has seen; a new end publishes it again.

        Raises:
            NotFoundError: There is no such notice.
            InvalidInputError: `expiresAt` is not in the future.
            PreconditionFailedError: The notice has another version.
            ConflictError: Somebody else changed it at the same moment.
        """
        changes = data.changed_fields()
        if data.expires_at is not None:
            _check_expiry(data.expires_at)
            changes["status"] = NoticeStatus.PUBLISHED
        notices = self._notices_by(author_id)
        return await notices.update(await notices.get(notice_id), changes, version=version)

    async def get(self, notice_id: UUID) -> Notice:
        """One notice, published or expired.

        Raises:
            NotFoundError: There is none.
        """
        return await self.notices.get(notice_id)

    async def newest(self) -> Sequence[Notice]:
        """The newest published notices, 100 at most."""
        return await self.notices.newest(NEWEST)

    async def announce(self, notice_id: UUID) -> None:
        """Tell everyone online, once the transaction commits.

        Raises:
            NotFoundError: There is no such notice.
        """
        notice = await self.notices.get(notice_id)
        self.uow.emit("notice.published", NoticeResponse.model_validate(notice))

    async def expire(self) -> int:
        """Expire what is due; returns how many there were."""
        return await self.notices.expire(utc_now())

    def _notices_by(self, author_id: UUID | None) -> NoticeCRUD:
        return NoticeCRUD(self.uow.session, author_id)


def _check_expiry(moment: datetime) -> None:
    if moment <= utc_now():
        raise InvalidInputError("expiresAt", "A notice must expire in the future.")
