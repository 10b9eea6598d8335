"""Notices by events: asked for, and announced."""

from contextlib import aclosing
from datetime import timedelta
from uuid import uuid4

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


class TestAsking:
    async def test_is_acknowledged_with_the_notice(self, people: People, visit: Visit, notice: Notice) -> None:
        client = await visit(await people.create("SOCKET:notice.get"))
        answer = await client.call("notice.get", {"id": str(notice.id)})
        assert answer == NoticeResponse.model_validate(notice).model_dump(mode="json", by_alias=True)

    async def test_for_one_that_is_not_there_is_an_error(self, people: People, visit: Visit) -> None:
        client = await visit(await people.create("SOCKET:notice.get"))
        assert (await client.call("notice.get", {"id": str(uuid4())}))["code"] == 4404

    async def test_needs_its_permission(self, people: People, visit: Visit, notice: Notice) -> None:
        client = await visit(await people.create())
        assert (await client.call("notice.get", {"id": str(notice.id)}))["code"] == 1008


class TestAnnouncing:
    async def test_reaches_everyone_once_it_is_committed(
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
