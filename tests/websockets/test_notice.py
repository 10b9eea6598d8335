from datetime import timedelta
from uuid import uuid4

import pytest

from src.core.unit_of_work import UnitOfWork
from src.models.notice import Notice
from src.schemas.notice import NoticeResponse
from src.services.notice import NoticeService
from src.utils.date import utc_now
from tests.support.people import People, Person
from tests.websockets.conftest import Join


@pytest.fixture
async def notice(uow: UnitOfWork) -> Notice:
    notice = Notice(title="t", body="b", expires_at=utc_now() + timedelta(days=1))
    uow.session.add(notice)
    await uow.session.commit()
    return notice


class TestGet:
    async def test_acknowledges_with_the_notice(self, notice: Notice, admin: Person, join: Join) -> None:
        ack = await (await join(admin)).call("notice.get", {"id": str(notice.id)})
        assert ack == NoticeResponse.model_validate(notice).model_dump(mode="json", by_alias=True)

    async def test_needs_its_permission(self, people: People, join: Join) -> None:
        peer = await join(await people.create())
        assert (await peer.call("notice.get", {"id": str(uuid4())}))["code"] == 1008

    async def test_of_an_unknown_notice_is_not_found(self, admin: Person, join: Join) -> None:
        assert (await (await join(admin)).call("notice.get", {"id": str(uuid4())}))["code"] == 4404

    async def test_of_anything_but_an_id_is_invalid(self, admin: Person, join: Join) -> None:
        assert (await (await join(admin)).call("notice.get", {"id": "first"}))["code"] == 1007


class TestPublished:
    async def test_reaches_everyone_online(self, notice: Notice, people: People, join: Join, uow: UnitOfWork) -> None:
        peer = await join(await people.create())
        await NoticeService(uow).announce(notice.id)
        await uow.commit()
        _, event, data = await peer.next()
        assert (event, data["id"]) == ("notice.published", str(notice.id))
