from collections.abc import Sequence
from uuid import UUID

from src.core.exceptions import InvalidInputError
from src.core.unit_of_work import UnitOfWork
from src.crud.notice import NoticeCRUD
from src.models.notice import Notice
from src.schemas.notice import NoticeCreate, NoticeResponse
from src.utils.date import utc_now

NEWEST = 100


class NoticeService:
    """Publishes notices, shows them, and lets them expire."""

    def __init__(self, uow: UnitOfWork) -> None:
        self.uow = uow
        self.notices = NoticeCRUD(uow.session)

    async def publish(self, data: NoticeCreate) -> Notice:
        """Store a notice; its announcement leaves once the transaction commits.

        Raises:
            InvalidInputError: `expiresAt` is not in the future.
        """
        if data.expires_at <= utc_now():
            raise InvalidInputError("expiresAt", "A notice must expire in the future.")
        notice = await self.notices.create(data.model_dump())
        self.uow.enqueue("notices.announce", notice_id=str(notice.id))
        return notice

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
