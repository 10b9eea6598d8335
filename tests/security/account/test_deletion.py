"""Users who delete their own account: after a while, with nothing left that names them."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from sqlmodel import col, select, text, update

from src.core.effects import TaskCall
from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.main import app, rest
from src.models.audit import AuditLog
from src.models.file import File, FileStatus
from src.models.notice import Notice
from src.models.user import User
from src.services import account_deletion
from src.services.account_deletion import AccountDeletionService
from src.services.account_export import AccountExportService
from src.services.audit import AuditService
from src.utils.date import utc_now
from tests.support.api_keys import NOTICES, OWN, make_key, status
from tests.support.login import encrypted, log_in
from tests.support.people import People, Person
from tests.support.tables import product_tables

DELETION, CANCEL = "/api/v1/auth/account/deletion", "/api/v1/auth/account/deletion/cancel"
INFO = "/api/v1/auth/user/info"


async def request(client: httpx.AsyncClient, person: Person, *password: str) -> httpx.Response:
    return await client.post(DELETION, json=await encrypted(client, *password), headers=person.headers)


async def pass_days(uow: UnitOfWork, person: Person, days: float) -> None:
    """Let the request be older."""
    due = (await uow.session.exec(select(User.deletion_due_at).where(User.id == person.user.id))).one()
    assert due is not None
    earlier = update(User).where(col(User.id) == person.user.id).values(deletion_due_at=due - timedelta(days=days))
    await uow.session.exec(earlier)
    await uow.session.commit()


async def exists(uow: UnitOfWork, person: Person) -> bool:
    return (await uow.session.exec(select(User.id).where(User.id == person.user.id))).first() is not None


@pytest.fixture
def accounts(client: httpx.AsyncClient, uow: UnitOfWork, resources: Resources, admin: Person) -> AccountDeletionService:
    return AccountDeletionService(uow, resources)


class TestRequest:
    async def test_it_is_due_after_the_grace_period(self, client: httpx.AsyncClient, person: Person) -> None:
        response = await request(client, person)
        due = response.json()["data"]["dueAt"]
        assert response.status_code == 200
        assert f"{utc_now() + timedelta(days=14):%Y-%m-%d}" == due[:10]

    async def test_all_sessions_end(self, client: httpx.AsyncClient, people: People, person: Person) -> None:
        other = await people.login(person.user)
        await request(client, person)
        assert [(await client.get(INFO, headers=each.headers)).status_code for each in (person, other)] == [401, 401]

    async def test_the_user_is_told(self, client: httpx.AsyncClient, person: Person, sent: list[TaskCall]) -> None:
        await request(client, person)
        (call,) = sent
        assert (call.name, call.kwargs["notice"]) == ("emails.send_notice", "deletion_requested")

    async def test_it_takes_the_password(self, client: httpx.AsyncClient, person: Person, uow: UnitOfWork) -> None:
        response = await request(client, person, "a wrong password")
        assert (response.status_code, response.json()["error"]) == (400, "auth.wrong_password")
        assert (await client.get(INFO, headers=person.headers)).json()["data"]["deletionDueAt"] is None

    async def test_without_the_password_only_those_who_have_none_can(
        self, client: httpx.AsyncClient, person: Person, people: People
    ) -> None:
        without = await people.create(password_hash="")
        responses = [await client.post(DELETION, json={}, headers=each.headers) for each in (person, without)]
        assert [response.status_code for response in responses] == [400, 200]

    async def test_the_password_cannot_be_guessed(self, client: httpx.AsyncClient, person: Person) -> None:
        statuses = [(await request(client, person, f"guess {number}")).status_code for number in range(11)]
        assert statuses == [400] * 10 + [429]

    async def test_a_password_is_no_good_twice(self, client: httpx.AsyncClient, people: People, person: Person) -> None:
        body = await encrypted(client)
        await client.post(DELETION, json=body, headers=person.headers)
        again = await people.login(person.user)
        assert (await client.post(DELETION, json=body, headers=again.headers)).status_code == 400

    async def test_the_last_administrator_cannot(
        self, client: httpx.AsyncClient, uow: UnitOfWork, admin: Person
    ) -> None:
        others = update(User).where(col(User.is_admin).is_(True), col(User.id) != admin.user.id).values(is_admin=False)
        await uow.session.exec(others)
        await uow.session.commit()
        response = await request(client, admin)
        assert (response.status_code, response.json()["error"]) == (409, "user.last_admin")

    async def test_without_a_login_nobody_can(self, client: httpx.AsyncClient) -> None:
        responses = [await client.post(DELETION, json=await encrypted(client)), await client.post(CANCEL)]
        assert [response.status_code for response in responses] == [401, 401]


class TestCancel:
    async def test_by_logging_in_again(
        self,
        client: httpx.AsyncClient,
        people: People,
        person: Person,
        uow: UnitOfWork,
        accounts: AccountDeletionService,
    ) -> None:
        await request(client, person)
        again = await people.login(person.user)
        before = (await client.get(INFO, headers=again.headers)).json()["data"]["deletionDueAt"]
        assert (await client.post(CANCEL, headers=again.headers)).status_code == 200
        after = (await client.get(INFO, headers=again.headers)).json()["data"]["deletionDueAt"]
        assert (before is not None, after) == (True, None)

    async def test_what_was_not_requested_is_409(self, client: httpx.AsyncClient, person: Person) -> None:
        response = await client.post(CANCEL, headers=person.headers)
        assert (response.status_code, response.json()["error"]) == (409, "account.no_deletion")


class TestDeletion:
    async def test_not_within_the_grace_period(
        self, client: httpx.AsyncClient, person: Person, uow: UnitOfWork, accounts: AccountDeletionService
    ) -> None:
        await request(client, person)
        await pass_days(uow, person, 13.9)
        assert (await accounts.delete_due(), await exists(uow, person)) == (0, True)

    async def test_after_it(
        self, client: httpx.AsyncClient, person: Person, uow: UnitOfWork, accounts: AccountDeletionService
    ) -> None:
        await request(client, person)
        await pass_days(uow, person, 14.1)
        assert (await accounts.delete_due(), await exists(uow, person)) == (1, False)

    async def test_not_once_it_was_cancelled(
        self,
        client: httpx.AsyncClient,
        people: People,
        person: Person,
        uow: UnitOfWork,
        accounts: AccountDeletionService,
    ) -> None:
        await request(client, person)
        await pass_days(uow, person, 14.1)
        await client.post(CANCEL, headers=(await people.login(person.user)).headers)
        assert (await accounts.delete_due(), await exists(uow, person)) == (0, True)

    async def test_sessions_keys_and_logins_end(
        self, client: httpx.AsyncClient, people: People, uow: UnitOfWork, accounts: AccountDeletionService
    ) -> None:
        owner = await people.create(NOTICES, *OWN)
        key = (await make_key(client, owner, NOTICES))["key"]
        await request(client, owner)
        meanwhile = await people.login(owner.user)
        before = await status(client, key)
        await pass_days(uow, owner, 14.1)
        await accounts.delete_due()
        after = [
            await status(client, key),
            (await client.get(INFO, headers=meanwhile.headers)).status_code,
            (await log_in(client, owner.user.username)).status_code,
        ]
        assert (before, after) == (200, [401, 401, 401])

    async def test_files_are_deleted(
        self, client: httpx.AsyncClient, person: Person, uow: UnitOfWork, accounts: AccountDeletionService
    ) -> None:
        file = File(
            owner_id=person.user.id,
            filename="a.txt",
            content_type="text/plain",
            size_bytes=1,
            status=FileStatus.READY,
            upload_id="",
            part_count=1,
            expires_at=utc_now(),
        )
        uow.session.add(file)
        await uow.session.commit()
        await request(client, person)
        await pass_days(uow, person, 14.1)
        await accounts.delete_due()
        await uow.session.refresh(file)
        assert (file.status, file.owner_id) == (FileStatus.DELETED, None)

    async def test_one_who_became_the_last_administrator_stays(
        self,
        client: httpx.AsyncClient,
        people: People,
        uow: UnitOfWork,
        admin: Person,
        accounts: AccountDeletionService,
    ) -> None:
        leaving = await people.create(is_admin=True)
        await request(client, leaving)
        await pass_days(uow, leaving, 14.1)
        others = update(User).where(col(User.id) != leaving.user.id).values(is_admin=False)
        await uow.session.exec(others)
        await uow.session.commit()
        assert (await accounts.delete_due(), await exists(uow, leaving)) == (0, True)
        assert await accounts.delete_due() == 0

    async def test_the_user_gets_a_last_e_mail(
        self,
        client: httpx.AsyncClient,
        person: Person,
        uow: UnitOfWork,
        sent: list[TaskCall],
        accounts: AccountDeletionService,
    ) -> None:
        await request(client, person)
        await pass_days(uow, person, 14.1)
        await accounts.delete_due()
        calls = {call.name: call.kwargs for call in sent}
        assert calls["emails.send_account_deleted"]["secret_email"] == person.user.email

    async def test_nothing_names_the_user_any_more(
        self,
        client: httpx.AsyncClient,
        people: People,
        uow: UnitOfWork,
        sent: list[TaskCall],
        accounts: AccountDeletionService,
        resources: Resources,
    ) -> None:
        user = await people.user(name="Grace Brewster Hopper")
        person = await people.login(user)
        await log_in(client, user.username)
        await log_in(client, user.username.upper(), "a wrong password")
        notice = Notice(title="Hello", body="…", expires_at=utc_now(), created_by=user.id)
        uow.session.add(notice)
        await uow.session.commit()
        await request(client, person)
        await pass_days(uow, person, 14.1)
        await accounts.delete_due()
        (call,) = [call for call in sent if call.name == "accounts.forget_name"]
        await AuditService(resources).forget_name(uow, UUID(call.kwargs["user_id"]))

        names = (user.username, user.email, user.name)
        assert await self.tables_with(uow, *names) == set()
        entries = await self.entries(user.id)
        assert [name for name in names if name.lower() in str(entries).lower()] == []
        # What others need is there, with the id.
        assert {"accounts.delete_due", "POST:/api/v1/auth/login"} <= {entry["action"] for entry in entries}
        await uow.session.refresh(notice)
        assert notice.created_by == user.id

    async def test_by_an_administrator_it_is_as_thorough(
        self,
        client: httpx.AsyncClient,
        people: People,
        admin: Person,
        uow: UnitOfWork,
        sent: list[TaskCall],
        accounts: AccountDeletionService,
        resources: Resources,
    ) -> None:
        user = await people.user()
        file_id = await AccountExportService(uow, resources).write(user.id)
        await uow.session.commit()
        await log_in(client, user.username, "a wrong password")
        assert (await client.delete(f"/api/v1/users/{user.id}", headers=admin.headers)).status_code == 200
        (call,) = [call for call in sent if call.name == "accounts.forget_name"]
        again = await people.user(username=user.username)  # somebody else takes the name
        await log_in(client, again.username, "a wrong password")
        await AuditService(resources).forget_name(uow, UUID(call.kwargs["user_id"]))
        status = (await uow.session.exec(select(File.status).where(File.id == file_id))).one()
        names = {
            entry["target"]["userId"]: entry["details"].get("username")
            for entry in await self.entries(user.id)
            if entry["target"].get("userId") in {str(user.id), str(again.id)} and entry["result"] == "failure"
        }
        assert (status, names) == (FileStatus.DELETED, {str(user.id): None, str(again.id): again.username})

    async def test_a_disabled_account_waits_and_enabling_it_cancels(
        self,
        client: httpx.AsyncClient,
        people: People,
        uow: UnitOfWork,
        admin: Person,
        accounts: AccountDeletionService,
    ) -> None:
        user = await people.user(deletion_due_at=utc_now() - timedelta(hours=1), status=False)
        path = f"/api/v1/users/{user.id}"
        deleted = await accounts.delete_due()
        before = (await client.get(path, headers=admin.headers)).json()["data"]["deletionDueAt"]
        await client.put(f"{path}/status", json={"status": True}, headers=admin.headers)
        after = (await client.get(path, headers=admin.headers)).json()["data"]["deletionDueAt"]
        assert (deleted, before is not None, after) == (0, True, None)

    async def test_one_that_was_due_long_ago_is_announced_again(
        self, people: People, uow: UnitOfWork, sent: list[TaskCall], accounts: AccountDeletionService
    ) -> None:
        """`ACCOUNT_DELETION_DAYS` was unset meanwhile."""
        user = await people.user(deletion_due_at=utc_now() - timedelta(days=30))
        assert (await accounts.delete_due(), await accounts.delete_due()) == (0, 0)
        assert [call.kwargs["notice"] for call in sent] == ["deletion_requested"]
        await uow.session.refresh(user)
        assert user.deletion_due_at is not None
        assert user.deletion_due_at > utc_now() + timedelta(days=13)

    async def test_one_that_cannot_be_deleted_blocks_no_other(
        self, people: People, uow: UnitOfWork, accounts: AccountDeletionService, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        users = [await people.user(deletion_due_at=utc_now() - timedelta(hours=4 - hour)) for hour in range(3)]
        record, stuck = AccountDeletionService._record, users[0].id

        def refuse(service: AccountDeletionService, user: User) -> None:
            if user.id == stuck:
                raise RuntimeError("a foreign key of some feature")
            record(service, user)

        monkeypatch.setattr(AccountDeletionService, "_record", refuse)
        monkeypatch.setattr(account_deletion, "BATCH", 1)
        ids = [user.id for user in users]
        deleted = await accounts.delete_due()
        left = (await uow.session.exec(select(User.id).where(col(User.id).in_(ids)))).all()
        assert (deleted, left) == (2, [stuck])

    async def tables_with(self, uow: UnitOfWork, *names: str) -> set[str]:
        """The tables with a row that has one of the names anywhere; calls in the outbox leave it once they are sent."""
        found, connection = set(), await uow.session.connection()
        for table in product_tables():
            for name in names:
                statement = text(f'SELECT 1 FROM "{table}" AS t WHERE t::text ILIKE :name LIMIT 1')  # noqa: S608
                rows = await connection.execute(statement, {"name": f"%{name}%"})
                if table != "outbox" and rows.first():
                    found.add(table)
        return found

    async def entries(self, user_id: UUID) -> list[dict[str, Any]]:
        where = {"$or": [{"actor_id": user_id}, {"action": "POST:/api/v1/auth/login", "result": "failure"}]}
        return [entry async for entry in AuditLog.get_pymongo_collection().find(where)]


class TestAbsence:
    @pytest.mark.usefixtures("uow")
    async def test_without_the_setting_the_routes_do_not_exist(self, person: Person) -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            responses = [await client.post(path, json={}, headers=person.headers) for path in (DELETION, CANCEL)]
        assert [response.status_code for response in responses] == [404, 404]

    def test_the_application_with_it_has_two_routes_more(self, account_app: FastAPI) -> None:
        codes = [{route.code for route in each.state.registry.routes} for each in (account_app, rest)]
        assert {code for code in codes[0] - codes[1] if "deletion" in code} == {f"POST:{DELETION}", f"POST:{CANCEL}"}
