from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from sqlmodel import col, select

from src.crud.crud_sqlmodel import BaseSQLModelCRUD
from src.models.notice import Notice, NoticeStatus


class NoticeCRUD(BaseSQLModelCRUD[Notice]):
    """Notices."""

    model: ClassVar[type[Notice]] = Notice

    async def newest(self, limit: int) -> Sequence[Notice]:
        """Published notices, newest first."""
        published = select(Notice).where(Notice.status == NoticeStatus.PUBLISHED)
        return (await self.session.exec(published.order_by(col(Notice.id).desc()).limit(limit))).all()

    async def expire(self, now: datetime) -> int:
        """Mark notices that are past their expiry, and return their number."""
        due = {"status": NoticeStatus.PUBLISHED, "expires_at__lte": now}
        return await self.update_many(due, {"status": NoticeStatus.EXPIRED})
