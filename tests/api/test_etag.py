from typing import Any
from uuid import uuid4

import httpx
import pytest

from src.core.unit_of_work import UnitOfWork
from src.main import rest
from src.models.notice import Notice
from src.services.notice import NoticeService
from tests.support.people import People, Person

NOTICES, ROLES = "/api/v1/notices", "/api/v1/roles"


@pytest.fixture
def resource() -> str:
    """The tested resource; some tests parametrise it."""
    return NOTICES


@pytest.fixture
async def path(client: httpx.AsyncClient, admin: Person, resource: str) -> str:
    """The path of a row with version 1."""
    notice = {"title": "t", "body": "b", "expiresAt": "2999-01-01T00:00:00Z"}
    body = notice if resource == NOTICES else {"name": "t", "code": uuid4().hex}
    response = await client.post(resource, headers=admin.headers, json=body)
    return f"{resource}/{response.json()['data']['id']}"


def name_of(path: str) -> str:
    return "title" if path.startswith(NOTICES) else "name"


async def change(
    client: httpx.AsyncClient, person: Person, path: str, if_match: str | None, name: str = "new"
) -> httpx.Response:
    header = {} if if_match is None else {"If-Match": if_match}
    method = "PATCH" if path.startswith(NOTICES) else "PUT"
    body: dict[str, Any] = {name_of(path): name}
    return await client.request(method, path, headers=person.headers | header, json=body)


every_resource = pytest.mark.parametrize("resource", [NOTICES, ROLES])


class TestAVersion:
    @every_resource
    async def test_is_sent_with_the_row(self, client: httpx.AsyncClient, admin: Person, path: str) -> None:
        assert (await client.get(path, headers=admin.headers)).headers["ETag"] == '"1"'

    @every_resource
    async def test_changes_with_an_update(self, client: httpx.AsyncClient, admin: Person, path: str) -> None:
        response = await change(client, admin, path, '"1"')
        shown = await client.get(path, headers=admin.headers)
        assert (response.status_code, response.headers["ETag"], shown.headers["ETag"]) == (200, '"2"', '"2"')

    async def test_changes_with_an_update_of_many_rows(
        self, client: httpx.AsyncClient, admin: Person, path: str, uow: UnitOfWork
    ) -> None:
        notice = await uow.session.get_one(Notice, path.rpartition("/")[2])
        notice.expires_at = notice.create_time
        await uow.session.commit()
        await NoticeService(uow).expire()
        await uow.session.commit()
        assert (await client.get(path, headers=admin.headers)).headers["ETag"] == '"3"'


@every_resource
class TestAChange:
    @pytest.mark.parametrize("if_match", [None, "*", '"1"', ' "1" '])
    async def test_of_the_current_version_succeeds(
        self, client: httpx.AsyncClient, admin: Person, path: str, if_match: str | None
    ) -> None:
        assert (await change(client, admin, path, if_match)).json()["data"][name_of(path)] == "new"

    @pytest.mark.parametrize("if_match", ['"2"', '"0"', 'W/"1"', '"abc"', '""', f'"{"9" * 400}"'])
    async def test_of_a_version_that_never_existed_is_412(
        self, client: httpx.AsyncClient, admin: Person, path: str, if_match: str
    ) -> None:
        response = await change(client, admin, path, if_match)
        assert (response.status_code, response.json()["error"]) == (412, "resource.changed")

    async def test_of_an_old_version_is_412_and_changes_nothing(
        self, client: httpx.AsyncClient, admin: Person, path: str
    ) -> None:
        await change(client, admin, path, None, "first")
        refused = await change(client, admin, path, '"1"')
        kept = (await client.get(path, headers=admin.headers)).json()["data"][name_of(path)]
        assert (refused.status_code, kept) == (412, "first")

    @pytest.mark.parametrize("if_match", ["1", '"1', '"1", "2"', "W/1", "", "%"])
    async def test_with_an_invalid_entity_tag_is_422(
        self, client: httpx.AsyncClient, admin: Person, path: str, if_match: str
    ) -> None:
        response = await change(client, admin, path, if_match)
        assert (response.status_code, response.json()["data"][0]["field"]) == (422, "If-Match")


class TestAnAuthor:
    async def test_is_stored_for_the_row_and_its_last_change(
        self, client: httpx.AsyncClient, admin: Person, path: str, uow: UnitOfWork
    ) -> None:
        notice = await uow.session.get_one(Notice, path.rpartition("/")[2], populate_existing=True)
        assert (notice.created_by, notice.updated_by) == (admin.user.id, admin.user.id)

    async def test_of_an_update_does_not_replace_the_creator(
        self, client: httpx.AsyncClient, path: str, uow: UnitOfWork, admin: Person, people: People
    ) -> None:
        editor = await people.create("PATCH:/api/v1/notices/{noticeId}")
        await change(client, editor, path, None)
        notice = await uow.session.get_one(Notice, path.rpartition("/")[2], populate_existing=True)
        assert (notice.created_by, notice.updated_by) == (admin.user.id, editor.user.id)


class TestTheDocument:
    @pytest.mark.parametrize(
        ("path", "method"), [("/api/v1/notices/{noticeId}", "patch"), ("/api/v1/roles/{roleId}", "put")]
    )
    def test_describes_header_and_error(self, path: str, method: str) -> None:
        operation = rest.openapi()["paths"][path][method]
        headers = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "header"}
        assert "if-match" in {name.lower() for name in headers}
        assert {"412", "422"} <= operation["responses"].keys()
        assert "ETag" in operation["responses"]["200"]["headers"]
