from datetime import timedelta

import pytest

from src.core.unit_of_work import UnitOfWork
from src.models.notice import Notice, NoticeStatus
from src.queues.app import app
from src.queues.beat_schedule import BEAT_SCHEDULE
from src.utils.date import utc_now


@pytest.fixture
async def due(uow: UnitOfWork) -> Notice:
    notice = Notice(title="t", body="b", expires_at=utc_now() - timedelta(seconds=1))
    uow.session.add(notice)
    await uow.session.commit()
    return notice


@pytest.fixture(autouse=True)
def _registered() -> None:
    """Import all task modules, as a worker does."""
    app.loader.import_default_modules()


class TestExpire:
    async def test_expires_due_notices(self, uow: UnitOfWork, due: Notice) -> None:
        assert await app.tasks["notices.expire"]() == 1
        await uow.session.refresh(due)
        assert due.status == NoticeStatus.EXPIRED

    def test_is_scheduled(self) -> None:
        assert "notices.expire" in {entry["task"] for entry in BEAT_SCHEDULE.values()}
