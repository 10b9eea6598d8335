"""Registering and confirming tell nobody who has an account."""

from uuid import uuid4

import httpx
import pytest
from sqlmodel import select

from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.models.user import User
from tests.security.email.conftest import EMAIL, FORGOT, SEND, VERIFY, Deliver, token_of
from tests.support.login import encrypted, log_in
from tests.support.people import People, Person

REGISTER = "/api/v1/auth/register"


async def register(client: httpx.AsyncClient, email: str, **fields: str) -> httpx.Response:
    body = {"name": "Somebody", "username": uuid4().hex, "email": email, **fields, **await encrypted(client)}
    return await client.post(REGISTER, json=body)


async def stored(uow: UnitOfWork, response: httpx.Response) -> User:
    username = response.json()["data"]["username"]
    user = (await uow.session.exec(select(User).where(User.username == username))).one()
    await uow.session.refresh(user)
    return user


async def headers_of(client: httpx.AsyncClient, registered: httpx.Response) -> dict[str, str]:
    """Those of a request by somebody who has registered."""
    data = (await log_in(client, registered.json()["data"]["username"])).json()["data"]
    return {"Authorization": f"Bearer {data['accessToken']}"}


def shape(response: httpx.Response, email: str) -> tuple[int, set[str], str]:
    data = response.json()["data"]
    return response.status_code, set(data), str(data["email"]).replace(email, "@")


class TestRegistering:
    async def test_a_taken_address_gets_the_same_response(self, client: httpx.AsyncClient, people: People) -> None:
        taken, free = (await people.user()).email, f"{uuid4().hex}@example.com"
        assert shape(await register(client, taken), taken) == shape(await register(client, free), free)

    async def test_its_owner_is_told_and_nobody_else(
        self, client: httpx.AsyncClient, deliver: Deliver, people: People
    ) -> None:
        owner = await people.user()
        await register(client, owner.email.upper(), name="Buy at evil.example")
        (mail,) = await deliver()
        assert mail.message["Subject"] == "You already have an account"
        assert owner.username in mail.text
        assert "#token=" not in mail.text + mail.html
        assert "evil" not in mail.text + mail.html

    async def test_a_taken_username_is_refused(self, client: httpx.AsyncClient, people: People) -> None:
        user = await people.user()
        response = await register(client, f"{uuid4().hex}@example.com", username=user.username.upper())
        assert (response.status_code, response.json()["error"]) == (409, "user.taken")
        assert [item["field"] for item in response.json()["data"]] == ["username"]

    async def test_mails_have_nothing_that_the_person_typed(self, client: httpx.AsyncClient, deliver: Deliver) -> None:
        await register(client, f"{uuid4().hex}@example.com", name="Buy at evil.example", username="evil.example")
        (mail,) = await deliver()
        assert "evil" not in mail.text + mail.html + str(mail.message["Subject"])

    async def test_are_limited_by_client(
        self, client: httpx.AsyncClient, resources: Resources, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        app = resources.settings.app.model_copy(update={"rate_limit_factor": 0.01})
        monkeypatch.setattr(resources.settings, "app", app)
        statuses = [(await register(client, f"{uuid4().hex}@example.com")).status_code for _ in range(2)]
        assert statuses == [201, 429]

    async def test_one_address_gets_five_mails_however_many_register(
        self, client: httpx.AsyncClient, deliver: Deliver
    ) -> None:
        email = f"{uuid4().hex}@example.com"
        for _ in range(7):
            await register(client, email)
        assert len(await deliver()) == 5


class TestConfirming:
    async def test_makes_the_address_the_users_own(
        self, client: httpx.AsyncClient, deliver: Deliver, uow: UnitOfWork
    ) -> None:
        response = await register(client, f"{uuid4().hex}@example.com")
        user = await stored(uow, response)
        assert (user.email_pending, user.email_verified_at) == (True, None)
        (mail,) = await deliver()
        headers = {**await headers_of(client, response), "Accept-Language": "zh"}
        confirmed = await client.post(VERIFY, json={"token": token_of(mail)}, headers=headers)
        assert confirmed.status_code == 200
        user = await stored(uow, response)
        assert (user.email_pending, user.email_verified_at is not None, user.language) == (False, True, "zh")

    async def test_of_two_who_typed_an_address_the_one_who_confirms_first_has_it(
        self, client: httpx.AsyncClient, deliver: Deliver, uow: UnitOfWork
    ) -> None:
        email = f"{uuid4().hex}@example.com"
        registered = [await register(client, name) for name in (email, email.upper())]
        mallory, ada = [await headers_of(client, response) for response in registered]
        first, second = map(token_of, await deliver())
        assert (await client.post(VERIFY, json={"token": first}, headers=mallory)).status_code == 200
        response = await client.post(VERIFY, json={"token": second}, headers=ada)
        assert (response.status_code, response.json()["error"]) == (409, "user.taken")

    async def test_a_link_confirms_no_account_of_a_stranger(
        self, client: httpx.AsyncClient, deliver: Deliver, uow: UnitOfWork
    ) -> None:
        """Both typed her address, and their mails look alike: she may click the wrong one."""
        email = f"{uuid4().hex}@example.com"
        stranger, hers = await register(client, email), await register(client, email)
        ada = await headers_of(client, hers)
        of_the_stranger, of_hers = map(token_of, await deliver())
        assert (await client.post(VERIFY, json={"token": of_the_stranger})).status_code == 401
        response = await client.post(VERIFY, json={"token": of_the_stranger}, headers=ada)
        assert (response.status_code, response.json()["error"]) == (400, "auth.invalid_link")
        assert (await stored(uow, stranger)).email_pending
        assert (await client.post(VERIFY, json={"token": of_hers}, headers=ada)).status_code == 200
        assert not (await stored(uow, hers)).email_pending

    async def test_an_address_that_is_not_confirmed_resets_nothing(
        self, client: httpx.AsyncClient, deliver: Deliver
    ) -> None:
        email = f"{uuid4().hex}@example.com"
        await register(client, email)
        await deliver()
        await client.post(FORGOT, json={"email": email})
        assert await deliver() == []


class TestTheOwnAddress:
    async def test_is_confirmed_by_a_link(self, client: httpx.AsyncClient, deliver: Deliver, people: People) -> None:
        person = await people.create()
        assert (await client.get(EMAIL, headers=person.headers)).json()["data"]["verified"] is False
        await client.post(SEND, headers=person.headers)
        (mail,) = await deliver()
        await client.post(VERIFY, json={"token": token_of(mail)}, headers=person.headers)
        assert (await client.get(EMAIL, headers=person.headers)).json()["data"]["verified"] is True

    async def test_sends_ten_links_to_a_user_at_most(self, client: httpx.AsyncClient, people: People) -> None:
        person = await people.create()
        statuses = [(await client.post(SEND, headers=person.headers)).status_code for _ in range(11)]
        assert statuses == [200] * 10 + [429]

    async def test_is_unconfirmed_again_once_an_administrator_changes_it(
        self, client: httpx.AsyncClient, deliver: Deliver, people: People, admin: Person
    ) -> None:
        person = await people.create()
        await client.post(SEND, headers=person.headers)
        await client.post(VERIFY, json={"token": token_of((await deliver())[0])}, headers=person.headers)
        old, new = person.user.email, f"{uuid4().hex}@example.com"
        changed = await client.patch(f"/api/v1/users/{person.user.id}", json={"email": new}, headers=admin.headers)
        assert changed.status_code == 200
        assert (await client.get(EMAIL, headers=person.headers)).json()["data"]["verified"] is False
        mails = [(mail.recipients, mail.message["Subject"]) for mail in await deliver()]
        assert mails == [((old,), "Your e-mail address was changed"), ((new,), "Confirm your e-mail address")]

    async def test_of_somebody_whom_an_administrator_creates_is_confirmed_too(
        self, client: httpx.AsyncClient, deliver: Deliver, admin: Person
    ) -> None:
        name = uuid4().hex
        body = {"name": "N", "username": name, "email": f"{name}@example.com", **await encrypted(client)}
        await client.post("/api/v1/users", json=body, headers=admin.headers)
        assert [mail.recipients for mail in await deliver()] == [(f"{name}@example.com",)]


class TestServiceAccounts:
    async def test_get_no_mail(
        self, client: httpx.AsyncClient, deliver: Deliver, people: People, admin: Person
    ) -> None:
        """Their addresses are made up; one that an administrator enters resets nothing either."""
        user = await people.user(is_service_account=True, email="build@service-accounts.invalid")
        email = f"{uuid4().hex}@example.com"
        changed = await client.patch(f"/api/v1/users/{user.id}", json={"email": email}, headers=admin.headers)
        assert changed.status_code == 200
        await client.post(FORGOT, json={"email": email})
        assert await deliver() == []
