from uuid import UUID

from src.deps.notice import NoticeServiceDep
from src.queues.app import app


@app.task(name="notices.announce", requires="POST:/api/v1/notices", ignore_result=True)
async def announce(notice_id: str, notices: NoticeServiceDep) -> None:
    """Tell everyone online about a notice."""
    await notices.announce(UUID(notice_id))


@app.task(name="notices.expire", ignore_result=True)
async def expire(notices: NoticeServiceDep) -> int:
    """Expire the notices that are due; returns how many."""
    return await notices.expire()
