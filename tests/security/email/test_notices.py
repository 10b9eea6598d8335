import json
from uuid import uuid4

import httpx

from src.core.effects import TaskCall
from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.services.user_operator import UserOperatorService
from src.utils.masking import masked
from tests.security.conftest import Clock
from tests.security.email.conftest import Deliver
from tests.security.factors.conftest import FACTORS, App, begin, confirm, data, first_step, second_step
from tests.support.login import encrypted, log_in
from tests.support.people import PASSWORD, People, Person

LOGIN = "/api/v1/auth/login"
NEW = "a new and long enough one"


async def log_in_from(email_app: object, client: httpx.AsyncClient, username: str, **headers: str) -> httpx.Response:
    """Log in from another address."""
    transport = httpx.ASGITransport(email_app, client=(f"test-{uuid4().hex}", 1))  # type: ignore[arg-type]
    body = {"username": username, **await encrypted(client)}
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as other:
        return await other.post(LOGIN, json=body)


class TestANewDevice:
    async def test_is_told_to_the_user(
        self, client: httpx.AsyncClient, email_app: object, deliver: Deliver, people: People
    ) -> None:
        user = await people.user()
        await log_in(client, user.username)
        assert await deliver() == []  # the first of all
        agent = "Evil <script>\x07 browser"
        assert (await log_in_from(email_app, client, user.username, **{"User-Agent": agent})).status_code == 200
        (mail,) = await deliver()
        assert (mail.recipients, mail.message["Subject"]) == ((user.email,), "New login to your account")
        assert "Evil <script>\\u0007 browser" in mail.text
        assert "<script>" not in mail.html

    async def test_is_new_once(
        self, client: httpx.AsyncClient, email_app: object, deliver: Deliver, people: People
    ) -> None:
        user = await people.user()
        device = (await log_in(client, user.username)).headers["X-Device-Token"]
        await log_in(client, user.username)
        await log_in_from(email_app, client, user.username, **{"X-Device-Token": device})
        assert await deliver() == []

    async def test_is_nobodys_business_at_an_address_that_is_not_confirmed(
        self, client: httpx.AsyncClient, email_app: object, deliver: Deliver, people: People
    ) -> None:
        user = await people.user(email_pending=True)
        await log_in(client, user.username)
        await log_in_from(email_app, client, user.username)
        assert await deliver() == []


class TestTheRunHistory:
    async def test_does_not_tell_where_somebody_logged_in(
        self, client: httpx.AsyncClient, email_app: object, deliver: Deliver, people: People, sent: list[TaskCall]
    ) -> None:
        user = await people.user()
        await log_in(client, user.username)
        await deliver()
        await log_in_from(email_app, client, user.username, **{"User-Agent": "Evil browser"})
        (call,) = sent
        shown = json.dumps(masked(call.kwargs))
        assert (call.kwargs["notice"], "Evil" in shown, "test-" in shown) == ("new_device", False, False)
        (mail,) = await deliver()
        assert "Evil browser" in mail.text
        assert "test-" in mail.text


class TestAChangedPassword:
    async def test_is_told_whoever_changed_it(
        self,
        client: httpx.AsyncClient,
        deliver: Deliver,
        people: People,
        admin: Person,
        uow: UnitOfWork,
        resources: Resources,
    ) -> None:
        person = await people.create(language="zh")
        first, second = await encrypted(client, PASSWORD), await encrypted(client, NEW)
        body = {"oldPassword": first["password"], "newPassword": second["password"], "kid": second["kid"]}
        assert (await client.put("/api/v1/auth/password", json=body, headers=person.headers)).status_code == 200
        path = f"/api/v1/users/{person.user.id}/password"
        assert (await client.put(path, json=await encrypted(client), headers=admin.headers)).status_code == 200
        await UserOperatorService(uow, resources).set_password(person.user.username, NEW)
        await uow.commit()
        mails = [(mail.recipients, mail.message["Subject"]) for mail in await deliver()]
        assert mails == [((person.user.email,), "您的密码已修改")] * 3

    async def test_is_not_told_if_it_failed(
        self, client: httpx.AsyncClient, sent: list[TaskCall], people: People
    ) -> None:
        person = await people.create()
        first, second = await encrypted(client, "wrong"), await encrypted(client, NEW)
        body = {"oldPassword": first["password"], "newPassword": second["password"], "kid": second["kid"]}
        assert (await client.put("/api/v1/auth/password", json=body, headers=person.headers)).status_code == 400
        assert sent == []


class TestSecondFactors:
    async def test_are_told_of(
        self, client: httpx.AsyncClient, deliver: Deliver, people: People, clock: Clock, admin: Person
    ) -> None:
        person = await people.create()
        enrolment = await begin(client, person, name="Phone <1>")
        app = App(enrolment["id"], enrolment["secret"], clock, [])
        codes = data(await confirm(client, person, app.id, code=app.code()))["recoveryCodes"]
        (added,) = await deliver()
        assert "The second factor Phone <1> was added" in added.text
        assert "<1>" not in added.html

        step = await first_step(client, person)
        assert (await second_step(client, step, code=codes[0])).status_code == 200
        (used,) = await deliver()
        assert "9 are left" in used.text

        step = await first_step(client, person)
        for _ in range(5):
            assert (await second_step(client, step, code=app.code(9))).status_code == 401
        (wrong,) = await deliver()
        assert wrong.message["Subject"] == "Your password is known to somebody"

        path = f"/api/v1/users/{person.user.id}/factors"
        assert (await client.delete(path, headers=admin.headers)).status_code == 200
        (removed,) = await deliver()
        assert "All second factors were removed" in removed.text

    async def test_in_the_users_language(
        self, client: httpx.AsyncClient, deliver: Deliver, people: People, clock: Clock
    ) -> None:
        person = await people.create(language="zh")
        enrolment = await begin(client, person)
        app = App(enrolment["id"], enrolment["secret"], clock, [])
        data(await confirm(client, person, app.id, code=app.code()))
        assert (await client.delete(f"{FACTORS}/{app.id}", headers=person.headers)).status_code == 200
        assert [mail.message["Subject"] for mail in await deliver()] == ["已添加第二因素", "已移除第二因素"]

    async def test_wrong_codes_are_told_once_a_day(
        self, client: httpx.AsyncClient, deliver: Deliver, people: People, clock: Clock
    ) -> None:
        person = await people.create()
        enrolment = await begin(client, person)
        app = App(enrolment["id"], enrolment["secret"], clock, [])
        data(await confirm(client, person, app.id, code=app.code()))
        await deliver()
        told = []
        for _ in range(7):  # each with a ticket of its own
            response = await second_step(client, await first_step(client, person), code=app.code(9))
            assert response.status_code == 401
            told.append([mail.message["Subject"] for mail in await deliver()])
        assert told == [*[[]] * 4, ["Your password is known to somebody"], [], []]
