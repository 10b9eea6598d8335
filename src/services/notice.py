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
    """Publishes, lists, changes and expires notices."""

    def __init__(self, uow: UnitOfWork) -> None:
        self.uow = uow
        self.notices = NoticeCRUD(uow.session)

    async def publish(self, data: NoticeCreate, actor_id: UUID | None = None) -> Notice:
        """Store a notice; it is announced after the commit.

        Raises:
            InvalidInputError: `expiresAt` is not in the future.
        """
        _check_expiry(data.expires_at)
        notice = await NoticeCRUD(self.uow.session, actor_id).create(data)
        self.uow.enqueue("notices.announce", notice_id=str(notice.id))
        return notice

    async def update(
        self, notice_id: UUID, data: NoticeUpdate, actor_id: UUID | None = None, *, version: int | None = None
    ) -> Notice:
        """Partially update a notice; a new `expiresAt` publishes it again.

        Raises:
            NotFoundError: The notice does not exist.
            InvalidInputError: `expiresAt` is not in the future.
            PreconditionFailedError: The notice has another version than `version`.
            ConflictError: The notice was changed at the same time.
        """
        changes = data.changed_fields()
        if data.expires_at is not None:
            _check_expiry(data.expires_at)
            changes["status"] = NoticeStatus.PUBLISHED
        notice = await self.notices.get(notice_id)
        return await NoticeCRUD(self.uow.session, actor_id).update(notice, changes, version=version)

    async def get(self, notice_id: UUID) -> Notice:
        """One notice, published or expired.

        Raises:
            NotFoundError: It does not exist.
        """
        return await self.notices.get(notice_id)

    async def newest(self) -> Sequence[Notice]:
        """The newest published notices, at most 100."""
        return await self.notices.newest(NEWEST)

    async def announce(self, notice_id: UUID) -> None:
        """Emit the notice to every connected client after the commit.

        Raises:
            NotFoundError: The notice does not exist.
        """
        notice = await self.notices.get(notice_id)
        self.uow.emit("notice.published", NoticeResponse.model_validate(notice))

    async def expire(self) -> int:
        """Mark notices that are past their expiry, and return their number."""
        return await self.notices.expire(utc_now())


def _check_expiry(expires_at: datetime) -> None:
    if expires_at <= utc_now():
        raise InvalidInputError("expiresAt", "Must be in the future.")
