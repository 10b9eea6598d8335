"""The data of one's own account, as a file."""

import io
import json
import zipfile
from datetime import datetime, timedelta
from secrets import token_hex
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from sqlmodel import col, update

from src.core.effects import TaskCall
from src.core.exceptions import ServiceUnavailableError
from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.main import app, rest
from src.models.file import PREFIX, File, FileStatus
from src.models.notice import Notice
from src.models.task_run import TaskRun
from src.queues.app import app as celery
from src.schemas.chat import ChatMessage
from src.services import account_export, export_parts
from src.services.account_export import AccountExportService
from src.services.audit import AuditService
from src.services.chat import ChatService
from src.services.file_sweep import FileSweep
from src.services.login_only import ACT_AS
from src.utils.date import utc_now
from tests.security.conftest import Clock
from tests.support.api_keys import NOTICES, OWN, bearer, make_key
from tests.support.people import People, Person
from tests.support.tables import product_tables

EXPORT = "/api/v1/auth/account/export"
FILES = [
    f"{method}:/api/v1/files{path}"
    for method, path in (("GET", ""), ("GET", "/{fileId}"), ("GET", "/{fileId}/content"), ("DELETE", "/{fileId}"))
]

# Columns that say whose a row is, and tables with one that an export does not list by itself.
OWNERS = {"user_id", "owner_id", "created_by", "requested_by"}
NOT_EXPORTED = {
    "user_roles": "in the profile",
    "recovery_codes": "hashes of codes that the user has",
    "email_links": "links that the user has in their mailbox, for half an hour",
}


@pytest.fixture
def exports(client: httpx.AsyncClient, uow: UnitOfWork, resources: Resources) -> AccountExportService:
    return AccountExportService(uow, resources)


async def read(exports: AccountExportService, file_id: UUID | None) -> dict[str, Any]:
    """The parts of an export, by their names."""
    content = b"".join([chunk async for chunk in await exports.storage.open(f"{PREFIX}{file_id}")])
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        return {name.removesuffix(".json"): json.loads(archive.read(name)) for name in archive.namelist()}


async def export(exports: AccountExportService, person: Person) -> dict[str, Any]:
    """Write an export as the task does, and read it."""
    file_id = await exports.write(person.user.id)
    await exports.uow.session.commit()
    return await read(exports, file_id)


class TestRequest:
    async def test_a_task_writes_it(self, client: httpx.AsyncClient, person: Person, sent: list[TaskCall]) -> None:
        response = await client.post(EXPORT, headers=person.headers)
        (call,) = sent
        assert (call.name, call.kwargs["user_id"]) == ("accounts.export", str(person.user.id))
        assert abs(datetime.fromisoformat(call.kwargs["requested_at"]) - utc_now()) < timedelta(minutes=1)
        assert response.json()["data"] == {"taskId": str(call.id)}

    async def test_it_is_once_a_day(self, client: httpx.AsyncClient, person: Person, people: People) -> None:
        other = await people.create()
        statuses = [(await client.post(EXPORT, headers=each.headers)).status_code for each in (person, person, other)]
        assert statuses == [200, 429, 200]

    async def test_without_a_login_it_is_401(self, client: httpx.AsyncClient) -> None:
        assert [(await client.post(EXPORT)).status_code, (await client.get(EXPORT)).status_code] == [401, 401]


class TestContent:
    async def test_it_has_what_the_account_has(
        self,
        client: httpx.AsyncClient,
        people: People,
        exports: AccountExportService,
        uow: UnitOfWork,
        resources: Resources,
        admin: Person,
    ) -> None:
        owner = await people.create(NOTICES, *OWN)
        key = (await make_key(client, owner, NOTICES))["key"]
        uow.session.add(Notice(title="Mine", body="…", expires_at=utc_now(), created_by=owner.user.id))
        uow.session.add(Notice(title="Another's", body="…", expires_at=utc_now(), created_by=admin.user.id))
        uow.session.add(TaskRun(name="reports.make", requested_by=owner.user.id))
        await uow.session.commit()
        await ChatService(resources).say(owner.user.id, ChatMessage(room=uuid4().hex, text="Hello"))
        path = f"/api/v1/users/{owner.user.id}/unlock"
        await client.post(path, headers=admin.headers)
        await AuditService(resources).relay(uow)

        parts = await export(exports, owner)
        assert parts.keys() == {"profile", "sessions", *export_parts.TABLES, *export_parts.COLLECTIONS}
        assert parts["profile"][0]["username"] == owner.user.username
        assert [row["address"] for row in parts["sessions"]] == ["127.0.0.1"]
        assert [row["name"] for row in parts["api-keys"]] == ["Test"]
        assert [row["title"] for row in parts["notices"]] == ["Mine"]
        assert [row["name"] for row in parts["runs"]] == ["reports.make"]
        assert [row["text"] for row in parts["chat-messages"]] == ["Hello"]
        assert [row["action"] for row in parts["audit-log"]] == ["POST:/api/v1/api-keys"]
        assert [row["action"] for row in parts["audit-log-about-you"]] == ["POST:/api/v1/users/{userId}/unlock"]
        secrets = (key, owner.tokens.refresh_token, owner.user.password_hash, "keyHash", "passwordHash")
        assert [secret for secret in secrets if secret in json.dumps(parts)] == []

    async def test_it_tells_nothing_of_servers_and_administrators(
        self,
        client: httpx.AsyncClient,
        people: People,
        exports: AccountExportService,
        uow: UnitOfWork,
        resources: Resources,
    ) -> None:
        support = await people.create(ACT_AS, NOTICES, "POST:/api/v1/notices")
        user = await people.create(NOTICES)
        secrets = {"error": "OperationalError at db.internal", "traceback": "File secret.py", "worker": "celery@host1"}
        run = {"name": "reports.make", "requested_by": user.user.id, **secrets}
        uow.session.add(TaskRun.model_validate(run))
        await uow.session.commit()
        path = f"/api/v1/users/{user.user.id}/act-as"
        browser = {"User-Agent": "AdminBrowser/1"}
        token = (await client.post(path, headers={**support.headers, **browser})).json()["data"]["accessToken"]
        await client.put("/api/v1/auth/password", json={}, headers={**bearer(token), **browser})  # refused
        await AuditService(resources).relay(uow)
        parts = await export(exports, user)
        assert [entry["actedBy"] for entry in parts["audit-log"]] == [str(support.user.id)]
        assert [row["actedBy"]["id"] for row in parts["sessions"] if row["actedBy"]] == [str(support.user.id)]
        hidden = [*secrets.values(), "AdminBrowser", "test-", support.tokens.session_id]
        assert [each for each in hidden if each in json.dumps(parts)] == []

    async def test_of_an_account_without_anything_it_is_valid(
        self, exports: AccountExportService, person: Person
    ) -> None:
        parts = await export(exports, person)
        assert {name for name, rows in parts.items() if rows} == {"profile", "sessions"}

    @pytest.mark.slow
    async def test_a_large_account_is_read_and_sent_piece_by_piece(
        self, exports: AccountExportService, person: Person, uow: UnitOfWork, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of incompressible notices, more than a part of an upload."""
        monkeypatch.setattr(export_parts, "BATCH", 50)
        monkeypatch.setattr(account_export, "PART_BYTES", 5 * 1024**2)
        for number in range(130):
            notice = Notice(title=str(number), body=token_hex(42_000))
            notice.expires_at, notice.created_by = utc_now(), person.user.id
            uow.session.add(notice)
        await uow.session.commit()
        file_id = await exports.write(person.user.id)
        await uow.session.commit()
        assert file_id is not None
        file = await exports.files.get(file_id)
        parts = await read(exports, file_id)
        assert file.part_count > 1
        assert [row["title"] for row in parts["notices"]] == [str(number) for number in range(130)]

    def test_every_table_that_says_whose_its_rows_are_is_exported(self) -> None:
        """A new feature adds a line to `TABLES`, or a reason here."""
        exported = {crud.model.__tablename__ for crud, _, _ in export_parts.TABLES.values()}
        owned = {name for name, table in product_tables().items() if OWNERS & set(table.columns.keys())}
        assert owned - exported - NOT_EXPORTED.keys() == set()


class TestFile:
    async def test_it_belongs_to_the_user_and_is_downloaded(
        self, client: httpx.AsyncClient, exports: AccountExportService, person: Person
    ) -> None:
        before = await client.get(EXPORT, headers=person.headers)
        parts = await export(exports, person)
        data = (await client.get(EXPORT, headers=person.headers)).json()["data"]
        async with httpx.AsyncClient() as browser:
            content = (await browser.get(data["downloadUrl"])).content
        assert (before.status_code, before.json()["error"]) == (404, "account.no_export")
        assert (len(content), zipfile.ZipFile(io.BytesIO(content)).namelist()) == (
            data["sizeBytes"],
            [f"{name}.json" for name in parts],
        )

    async def test_others_do_not_get_it(
        self, client: httpx.AsyncClient, exports: AccountExportService, person: Person, people: People
    ) -> None:
        await export(exports, person)
        assert (await client.get(EXPORT, headers=(await people.create()).headers)).status_code == 404

    async def test_the_user_is_told(
        self, exports: AccountExportService, person: Person, sent: list[TaskCall], uow: UnitOfWork
    ) -> None:
        await exports.write(person.user.id)
        await uow.commit()
        assert [(call.name, call.kwargs["notice"]) for call in sent] == [("emails.send_notice", "export_ready")]

    async def test_it_is_deleted_after_the_days(
        self,
        client: httpx.AsyncClient,
        exports: AccountExportService,
        person: Person,
        uow: UnitOfWork,
        resources: Resources,
    ) -> None:
        file_id = await exports.write(person.user.id)
        await uow.session.commit()
        sweep = FileSweep(uow, resources)
        await sweep.sweep()
        before = await exports.storage.find(f"{PREFIX}{file_id}")
        past = utc_now() - timedelta(seconds=1)
        await uow.session.exec(update(File).where(col(File.id) == file_id).values(delete_at=past))
        await uow.session.commit()
        await sweep.sweep()
        assert (before is not None, await exports.storage.find(f"{PREFIX}{file_id}")) == (True, None)
        assert (await client.get(EXPORT, headers=person.headers)).status_code == 404

    async def test_only_its_owner_reaches_it_after_a_recent_login(
        self, client: httpx.AsyncClient, exports: AccountExportService, people: People, clock: Clock
    ) -> None:
        """It is none of the files that are uploaded: whatever reads or deletes those does not find it."""
        owner = await people.create(*FILES, *OWN)
        support = await people.create(*FILES, *OWN, ACT_AS, NOTICES)
        others = [await people.create(*FILES, "files.manage"), await people.create(is_admin=True)]
        key = (await make_key(client, owner, *FILES))["key"]
        acting = (await client.post(f"/api/v1/users/{owner.user.id}/act-as", headers=support.headers)).json()
        file_id = await exports.write(owner.user.id)
        await exports.uow.session.commit()
        tokens = [acting["data"]["accessToken"], key]
        callers = [bearer(token) for token in tokens] + [each.headers for each in (owner, *others)]
        clock.advance(700)
        for headers in callers:
            listed = (await client.get("/api/v1/files", headers=headers)).json()["data"]["records"]
            paths = [f"/api/v1/files/{file_id}{rest}" for rest in ("", "/content")]
            found = [(await client.get(path, headers=headers)).status_code for path in paths]
            found.append((await client.delete(paths[0], headers=headers)).status_code)
            assert (str(file_id) in str(listed), found) == (False, [404, 404, 404])
        assert (await client.get(EXPORT, headers=(await people.login(owner.user)).headers)).status_code == 200

    async def test_a_user_who_is_deleted_meanwhile_leaves_nothing(
        self,
        client: httpx.AsyncClient,
        exports: AccountExportService,
        people: People,
        admin: Person,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        user, keys = await people.user(), []
        complete = account_export._Upload.complete

        async def and_delete(upload: account_export._Upload) -> None:
            await complete(upload)
            keys.append(upload.key)
            await client.delete(f"/api/v1/users/{user.id}", headers=admin.headers)

        monkeypatch.setattr(account_export._Upload, "complete", and_delete)
        assert await exports.write(user.id) is None
        assert [await exports.storage.find(key) for key in keys] == [None]

    async def test_one_that_fails_at_the_end_leaves_nothing(
        self, exports: AccountExportService, person: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keys = []

        async def fail(_self: object, _file: File, _user_id: UUID, upload: account_export._Upload, _at: object) -> None:
            keys.append(upload.key)
            raise ServiceUnavailableError(store="postgres")

        monkeypatch.setattr(AccountExportService, "_mark_ready", fail)
        with pytest.raises(ServiceUnavailableError):
            await exports.write(person.user.id)
        assert [await exports.storage.find(key) for key in keys] == [None]

    async def test_of_a_user_who_is_gone_there_is_none(
        self, exports: AccountExportService, people: People, uow: UnitOfWork
    ) -> None:
        gone = await people.user(status=False)
        assert [await exports.write(gone.id), await exports.write(uuid4())] == [None, None]
        assert await exports.files.list({"owner_id": gone.id}) == []

    async def test_one_that_fails_leaves_nothing(
        self, exports: AccountExportService, person: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def unavailable(*_: object) -> None:
            raise ServiceUnavailableError(store="s3")

        before = {upload.id for upload in await exports.storage.uploads(PREFIX)}
        monkeypatch.setattr(exports.storage, "put_part", unavailable)
        with pytest.raises(ServiceUnavailableError):
            await exports.write(person.user.id)
        assert {upload.id for upload in await exports.storage.uploads(PREFIX)} == before
        assert await exports.files.count({"owner_id": person.user.id, "status": FileStatus.READY}) == 0


class TestARepeatedRun:
    """The queue delivers at least once, and who may retry runs can repeat one."""

    async def test_of_a_message_writes_no_second_one(
        self, client: httpx.AsyncClient, exports: AccountExportService, person: Person, sent: list[TaskCall]
    ) -> None:
        await client.post(EXPORT, headers=person.headers)
        (call,) = sent
        celery.autodiscover_tasks(["src.queues.tasks"], force=True)  # also of features that are off here
        for _ in range(2):
            await celery.tasks[call.name](**json.loads(json.dumps(call.kwargs)))
        assert await exports.files.count({"owner_id": person.user.id}) == 1

    async def test_writes_no_second_one(
        self, exports: AccountExportService, person: Person, uow: UnitOfWork, sent: list[TaskCall]
    ) -> None:
        requested_at = utc_now()
        first, second = [await exports.write(person.user.id, requested_at) for _ in range(2)]
        await uow.commit()
        assert (first is None, second) == (False, None)
        assert await exports.files.count({"owner_id": person.user.id}) == 1
        assert [call.kwargs["notice"] for call in sent] == ["export_ready"]

    async def test_that_wrote_at_the_same_time_leaves_none(
        self, exports: AccountExportService, person: Person, resources: Resources, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The other run is ready first."""
        requested_at, others, keys = utc_now(), [], []
        complete = account_export._Upload.complete

        async def let_the_other_write(upload: account_export._Upload) -> None:
            await complete(upload)
            keys.append(upload.key)
            if len(keys) == 1:
                async with resources.unit_of_work() as uow:
                    others.append(await AccountExportService(uow, resources).write(person.user.id, requested_at))

        monkeypatch.setattr(account_export._Upload, "complete", let_the_other_write)
        assert await exports.write(person.user.id, requested_at) is None
        assert [await exports.storage.find(key) is None for key in keys] == [True, False]
        assert [row.id for row in await exports.files.list({"owner_id": person.user.id})] == others

    async def test_after_the_days_writes_none(self, exports: AccountExportService, person: Person) -> None:
        days = exports.resources.settings.auth.export_days or 0
        assert await exports.write(person.user.id, utc_now() - timedelta(days=days, seconds=1)) is None

    async def test_of_a_later_request_is_written(self, exports: AccountExportService, person: Person) -> None:
        written = [await exports.write(person.user.id, utc_now()) for _ in range(2)]
        assert None not in written

    async def test_is_known_though_the_workers_clock_is_behind(
        self, exports: AccountExportService, person: Person
    ) -> None:
        requested_at = utc_now() + timedelta(seconds=30)
        assert [await exports.write(person.user.id, requested_at) is None for _ in range(2)] == [False, True]


class TestAbsence:
    @pytest.mark.usefixtures("uow")
    async def test_without_the_setting_the_routes_do_not_exist(self, person: Person) -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            responses = [await client.request(method, EXPORT, headers=person.headers) for method in ("GET", "POST")]
        assert [response.status_code for response in responses] == [404, 404]

    def test_the_application_with_it_has_two_routes_more(self, account_app: FastAPI) -> None:
        codes = [{route.code for route in each.state.registry.routes} for each in (account_app, rest)]
        assert {code for code in codes[0] - codes[1] if "export" in code} == {f"GET:{EXPORT}", f"POST:{EXPORT}"}
