"""A published notice is announced to everyone, from any process."""

from contextlib import aclosing
from datetime import timedelta

import pytest

from src.core.config import settings
from src.core.realtime.event_registry import EventRegistry
from src.core.unit_of_work import UnitOfWork
from src.models.notice import Notice
from src.queues.emitter import RedisEmitter
from src.schemas.events import SERVICE_EVENTS
from src.schemas.notice import NoticeCreate, NoticeResponse
from src.services.notice import NoticeService
from src.utils.date import utc_now
from tests.support.people import People
from tests.websockets.conftest import Visit


@pytest.fixture
async def notice(uow: UnitOfWork) -> Notice:
    body = NoticeCreate(title="Maintenance", body="Tonight.", expires_at=utc_now() + timedelta(days=1))
    return await NoticeService(uow).publish(body)


class TestPublished:
    async def test_reaches_everyone_after_the_commit(
        self, people: People, visit: Visit, notice: Notice, uow: UnitOfWork
    ) -> None:
        clients = [await visit(await people.create()) for _ in range(2)]
        await NoticeService(uow).announce(notice.id)
        assert not clients[0].waiting
        await uow.commit()
        for client in clients:
            event, data = await client.receive()
            assert (event, data["id"], data["title"]) == ("notice.published", str(notice.id), "Maintenance")

    async def test_reaches_everyone_from_a_worker(self, people: People, visit: Visit, notice: Notice) -> None:
        client = await visit(await people.create())
        async with aclosing(
            RedisEmitter(settings.REDIS_DATABASE_URL, declared=EventRegistry(SERVICE_EVENTS))
        ) as worker:
            announced = NoticeResponse.model_validate(notice)
            worker.check("notice.published", announced)
            await worker.emit("notice.published", announced)
        assert (await client.receive()).data["id"] == str(notice.id)
