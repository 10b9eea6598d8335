from datetime import timedelta
from typing import Any

import httpx
import pytest

from src.core.effects import TaskCall
from src.core.unit_of_work import UnitOfWork
from src.models.notice import Notice
from src.services.notice import NoticeService
from src.utils.date import utc_now
from tests.support.people import Person

PATH = "/api/v1/notices"
BODY = {"title": "t", "body": "b", "expiresAt": "2999-01-01T00:00:00+02:00"}


async def publish(client: httpx.AsyncClient, person: Person, **changes: Any) -> httpx.Response:
    return await client.post(PATH, headers=person.headers, json=BODY | changes)


class TestPublish:
    async def test_it_returns_the_notice(self, client: httpx.AsyncClient, admin: Person) -> None:
        data = (await publish(client, admin)).json()["data"]
        assert data.keys() == {"id", "createTime", "updateTime", "title", "body", "status", "expiresAt"}

    async def test_times_are_utc(self, client: httpx.AsyncClient, admin: Person) -> None:
        key = (await publish(client, admin)).json()["data"]["id"]
        response = await client.get(f"{PATH}/{key}", headers=admin.headers)
        assert response.json()["data"]["expiresAt"] == "2998-12-31T22:00:00Z"

    async def test_it_can_be_read(self, client: httpx.AsyncClient, admin: Person) -> None:
        key = (await publish(client, admin)).json()["data"]["id"]
        response = await client.get(f"{PATH}/{key}", headers=admin.headers)
        assert response.json()["data"]["title"] == "t"

    async def test_it_is_announced_by_a_task(
        self, client: httpx.AsyncClient, admin: Person, sent: list[TaskCall]
    ) -> None:
        key = (await publish(client, admin)).json()["data"]["id"]
        assert ("notices.announce", {"notice_id": key}) in [(call.name, call.kwargs) for call in sent]

    @pytest.mark.parametrize(
        "text", ["x" * 200, "Ж" * 200, "🔑" * 200, "'; DROP TABLE notices; --", "<script>", "%_\\"]
    )
    async def test_a_title_is_stored_unchanged(self, client: httpx.AsyncClient, admin: Person, text: str) -> None:
        assert (await publish(client, admin, title=text)).json()["data"]["title"] == text

    @pytest.mark.parametrize("changes", [{"title": "x" * 201}, {"body": "x" * 10_001}, {"body": ""}, {"title": None}])
    async def test_what_is_too_long_or_missing_is_422(
        self, client: httpx.AsyncClient, admin: Person, changes: dict[str, Any]
    ) -> None:
        assert (await publish(client, admin, **changes)).status_code == 422


class TestList:
    async def test_the_newest_run_is_first(self, client: httpx.AsyncClient, admin: Person) -> None:
        for title in ("first", "second", "third"):
            await publish(client, admin, title=title)
        rows = (await client.get(PATH, headers=admin.headers)).json()["data"]
        assert [row["title"] for row in rows[:3]] == ["third", "second", "first"]

    async def test_100_are_the_most(self, client: httpx.AsyncClient, admin: Person, uow: UnitOfWork) -> None:
        later = utc_now() + timedelta(days=1)
        uow.session.add_all(Notice(title="t", body="b", expires_at=later) for _ in range(101))
        await uow.session.commit()
        assert len((await client.get(PATH, headers=admin.headers)).json()["data"]) == 100


class TestExpiry:
    @pytest.fixture
    async def notices(self, uow: UnitOfWork) -> list[Notice]:
        """One notice that has expired, and one that has not."""
        notices = [
            Notice(title="t", body="b", expires_at=utc_now() + timedelta(seconds=seconds)) for seconds in (-1, 60)
        ]
        uow.session.add_all(notices)
        await uow.session.commit()
        return notices

    async def test_what_is_due_expires(self, uow: UnitOfWork, notices: list[Notice]) -> None:
        await NoticeService(uow).expire()
        for notice in notices:
            await uow.session.refresh(notice)
        assert [notice.status for notice in notices] == ["expired", "published"]

    @pytest.mark.usefixtures("notices")
    async def test_it_counts_each_once(self, uow: UnitOfWork) -> None:
        service = NoticeService(uow)
        assert [await service.expire(), await service.expire()] == [1, 0]

    async def test_an_expired_one_is_not_listed(
        self, client: httpx.AsyncClient, admin: Person, uow: UnitOfWork, notices: list[Notice]
    ) -> None:
        await NoticeService(uow).expire()
        rows = (await client.get(PATH, headers=admin.headers)).json()["data"]
        assert str(notices[0].id) not in {row["id"] for row in rows}
