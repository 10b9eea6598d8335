from uuid import UUID, uuid4

import httpx
import pytest
from sqlmodel import col, delete, select, update

from scripts.local.smtp import MailCatcher
from src.core.effects import TaskCall
from src.core.email.smtp import EmailOutcomeUnknownError
from src.core.unit_of_work import UnitOfWork
from src.crud.api_key import ApiKeyCRUD
from src.models.role import Role
from src.models.user import User, UserRole
from tests.security.email.conftest import ACCEPT, INVITE, Deliver, token_of
from tests.support.api_keys import bearer, make_key
from tests.support.login import encrypted, log_in
from tests.support.people import People, Person

NOTICES = "GET:/api/v1/notices"
CODE = f"POST:{INVITE}"


@pytest.fixture
async def inviter(people: People) -> Person:
    return await people.create(CODE, NOTICES, name="Eve\r\nBcc: all@example.com <b>")


@pytest.fixture
async def role(uow: UnitOfWork) -> Role:
    role = Role(name="Reader", code=uuid4().hex, interface_permissions=[NOTICES])
    uow.session.add(role)
    await uow.session.commit()
    return role


@pytest.fixture
def email() -> str:
    return f"{uuid4().hex}@example.com"


async def invite(client: httpx.AsyncClient, inviter: Person, email: str, *roles: str) -> httpx.Response:
    return await client.post(INVITE, json={"email": email, "roles": list(roles)}, headers=inviter.headers)


async def accept(client: httpx.AsyncClient, token: str, **fields: str) -> httpx.Response:
    body = {"token": token, "username": uuid4().hex, **fields, **await encrypted(client)}
    return await client.post(ACCEPT, json=body)


class TestInviting:
    async def test_creates_an_account_with_the_roles(
        self, client: httpx.AsyncClient, deliver: Deliver, inviter: Person, role: Role, email: str
    ) -> None:
        assert (await invite(client, inviter, email, role.code)).status_code == 201
        (mail,) = await deliver()
        response = await accept(client, token_of(mail))
        data = response.json()["data"]
        assert (response.status_code, data["email"], data["roles"]) == (201, email, [role.code])
        assert data["name"] == data["username"]
        assert (await log_in(client, data["username"])).status_code == 200

    async def test_names_the_inviter_in_one_line(
        self, client: httpx.AsyncClient, deliver: Deliver, inviter: Person, email: str
    ) -> None:
        await invite(client, inviter, email)
        (mail,) = await deliver()
        assert "Eve\\u000d\\u000aBcc: all@example.com <b> invites you" in mail.text.replace("=\n", "")
        assert "&lt;b&gt; invites you" in mail.html
        assert mail.message["Bcc"] is None
        assert mail.recipients == (email,)

    async def test_does_not_tell_that_an_address_has_an_account(
        self, client: httpx.AsyncClient, deliver: Deliver, inviter: Person, people: People, email: str
    ) -> None:
        known = (await people.user()).email
        answers = [(await invite(client, inviter, address)).json()["data"] for address in (known, email)]
        assert answers[0].keys() == answers[1].keys()
        subjects = {mail.recipients[0]: mail.message["Subject"] for mail in await deliver()}
        assert subjects[known] == "You already have an account"
        assert subjects[email].startswith("You are invited to ")

    async def test_needs_its_own_permission(self, client: httpx.AsyncClient, people: People, email: str) -> None:
        response = await invite(client, await people.create(NOTICES), email)
        assert (response.status_code, response.json()["error"]) == (403, "auth.permission_denied")

    async def test_needs_a_person(self, client: httpx.AsyncClient, uow: UnitOfWork, admin: Person, email: str) -> None:
        """As all that makes accounts: a key that was made with the code does not hold it."""
        made = await make_key(client, admin, NOTICES)
        (await ApiKeyCRUD(uow.session).get(UUID(made["id"]))).codes = [NOTICES, CODE]
        await uow.session.commit()
        response = await client.post(INVITE, json={"email": email}, headers=bearer(made["key"]))
        assert (response.status_code, response.json()["error"]) == (403, "auth.permission_denied")

    async def test_grants_nothing_that_the_inviter_does_not_hold(
        self, client: httpx.AsyncClient, people: People, role: Role, email: str
    ) -> None:
        response = await invite(client, await people.create(CODE), email, role.code)
        assert (response.status_code, response.json()["error"]) == (403, "auth.not_yours_to_grant")

    async def test_one_address_is_limited(self, client: httpx.AsyncClient, inviter: Person, email: str) -> None:
        assert [(await invite(client, inviter, email)).status_code for _ in range(6)] == [201] * 5 + [429]


async def withdraw(client: httpx.AsyncClient, person: Person, invitation_id: str) -> httpx.Response:
    return await client.delete(f"{INVITE}/{invitation_id}", headers=person.headers)


class TestWithdrawing:
    @pytest.fixture
    async def manager(self, people: People) -> Person:
        return await people.create(f"GET:{INVITE}", f"DELETE:{INVITE}/{{invitationId}}", NOTICES)

    async def test_ends_the_links(
        self, client: httpx.AsyncClient, deliver: Deliver, inviter: Person, manager: Person, role: Role, email: str
    ) -> None:
        """All of them: the invited person has the other e-mail as well."""
        ids = [(await invite(client, inviter, email, role.code)).json()["data"]["id"] for _ in range(2)]
        mails = await deliver()
        assert (await withdraw(client, manager, ids[0])).status_code == 200
        for mail in mails:
            response = await accept(client, token_of(mail))
            assert (response.status_code, response.json()["error"]) == (400, "auth.invalid_link")
        assert [(await withdraw(client, manager, each)).status_code for each in ids] == [404, 404]

    async def test_leaves_those_of_others(
        self, client: httpx.AsyncClient, deliver: Deliver, inviter: Person, manager: Person, people: People, email: str
    ) -> None:
        other = await people.create(CODE)
        withdrawn = (await invite(client, inviter, email)).json()["data"]["id"]
        await deliver()
        await invite(client, other, email)
        (mail,) = await deliver()
        await withdraw(client, manager, withdrawn)
        assert (await accept(client, token_of(mail))).status_code == 201

    async def test_before_the_e_mail_is_sent_sends_none(
        self, client: httpx.AsyncClient, deliver: Deliver, inviter: Person, manager: Person, email: str
    ) -> None:
        await withdraw(client, manager, (await invite(client, inviter, email)).json()["data"]["id"])
        assert await deliver() == []

    async def test_lets_nobody_send_more_e_mails(
        self, client: httpx.AsyncClient, inviter: Person, manager: Person, email: str
    ) -> None:
        statuses = []
        for _ in range(6):
            response = await invite(client, inviter, email)
            statuses.append(response.status_code)
            if response.status_code == 201:
                await withdraw(client, manager, response.json()["data"]["id"])
        assert statuses == [201] * 5 + [429]

    async def test_of_one_that_grants_more_than_one_holds_is_refused(
        self, client: httpx.AsyncClient, inviter: Person, role: Role, people: People, email: str
    ) -> None:
        weaker = await people.create(f"DELETE:{INVITE}/{{invitationId}}")
        invitation = (await invite(client, inviter, email, role.code)).json()["data"]
        response = await withdraw(client, weaker, invitation["id"])
        assert (response.status_code, response.json()["error"]) == (403, "auth.not_yours_to_grant")

    async def test_lists_what_can_be_accepted(
        self, client: httpx.AsyncClient, deliver: Deliver, inviter: Person, manager: Person, role: Role
    ) -> None:
        addresses = [f"{uuid4().hex}@example.com" for _ in range(3)]
        made = [(await invite(client, inviter, each, role.code)).json()["data"] for each in addresses]
        mails = await deliver()
        await withdraw(client, manager, made[0]["id"])
        await accept(client, token_of(mails[1]))
        listed = (await client.get(INVITE, headers=manager.headers)).json()["data"]
        mine = [each for each in listed if each["email"] in addresses]
        assert [(each["id"], each["roles"], each["invitedBy"]) for each in mine] == [
            (made[2]["id"], [role.code], str(inviter.user.id))
        ]

    async def test_each_needs_its_own_permission(self, client: httpx.AsyncClient, inviter: Person, email: str) -> None:
        invitation = (await invite(client, inviter, email)).json()["data"]
        refused = [await client.get(INVITE, headers=inviter.headers), await withdraw(client, inviter, invitation["id"])]
        assert [response.status_code for response in refused] == [403, 403]


class TestAccepting:
    @pytest.mark.parametrize("loses", ["the role's permission", "the permission to invite"])
    async def test_grants_nothing_that_the_inviter_has_lost(
        self,
        client: httpx.AsyncClient,
        deliver: Deliver,
        inviter: Person,
        role: Role,
        email: str,
        uow: UnitOfWork,
        loses: str,
    ) -> None:
        await invite(client, inviter, email, role.code)
        (mail,) = await deliver()
        left = {"the role's permission": [CODE], "the permission to invite": [NOTICES]}[loses]
        held = select(UserRole.role_id).where(UserRole.user_id == inviter.user.id)
        await uow.session.exec(update(Role).where(col(Role.id).in_(held)).values(interface_permissions=left))
        await uow.session.commit()
        assert (await accept(client, token_of(mail))).json()["error"] == "auth.invalid_link"

    @pytest.mark.parametrize("end", ["disabled", "deleted"])
    async def test_ends_with_the_inviter(
        self, client: httpx.AsyncClient, deliver: Deliver, inviter: Person, email: str, uow: UnitOfWork, end: str
    ) -> None:
        await invite(client, inviter, email)
        (mail,) = await deliver()
        this = col(User.id) == inviter.user.id
        ended = {"deleted": delete(User).where(this), "disabled": update(User).where(this).values(status=False)}
        await uow.session.exec(ended[end])
        await uow.session.commit()
        assert (await accept(client, token_of(mail))).json()["error"] == "auth.invalid_link"

    async def test_a_taken_username_leaves_the_link_usable(
        self, client: httpx.AsyncClient, deliver: Deliver, inviter: Person, people: People, email: str
    ) -> None:
        await invite(client, inviter, email)
        (mail,) = await deliver()
        taken = (await people.user()).username
        assert (await accept(client, token_of(mail), username=taken)).status_code == 409
        assert (await accept(client, token_of(mail))).status_code == 201

    async def test_a_link_that_may_have_arrived_stays_good_beside_the_next(
        self,
        client: httpx.AsyncClient,
        deliver: Deliver,
        inviter: Person,
        role: Role,
        email: str,
        catcher: MailCatcher,
        sent: list[TaskCall],
    ) -> None:
        await invite(client, inviter, email, role.code)
        calls = list(sent)
        catcher.replies["END"] = "cut"
        with pytest.raises(EmailOutcomeUnknownError):
            await deliver()
        catcher.replies.clear()
        sent[:] = calls
        await deliver()
        first, second = map(token_of, catcher.mails)
        assert (await accept(client, first)).json()["data"]["roles"] == [role.code]
        assert (await accept(client, second)).json()["error"] == "user.taken"

    async def test_an_address_that_is_somebodys_meanwhile_is_refused(
        self, client: httpx.AsyncClient, deliver: Deliver, inviter: Person, people: People, email: str
    ) -> None:
        await invite(client, inviter, email)
        (mail,) = await deliver()
        await people.user(email=email)
        assert (await accept(client, token_of(mail))).json()["error"] == "user.taken"
