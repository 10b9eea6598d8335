"""Links that are replayed, expired, swapped, foreign, reused or changed are refused."""

import asyncio
import random
import string
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import func
from sqlmodel import col, delete, select, update

from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.crud.user import UserCRUD
from src.models.email_link import EmailLink, LinkPurpose
from src.models.user import User
from src.services.email_link import EmailLinkService, InvalidLinkError
from src.services.task_run import TaskRunService
from src.utils.date import utc_now
from tests.security.email.conftest import ACCEPT, FORGOT, INVITE, RESET, SEND, VERIFY, Deliver, token_of
from tests.support.login import encrypted
from tests.support.people import People, Person

Use = Callable[[str, str], Awaitable[httpx.Response]]
PURPOSES = {
    RESET: LinkPurpose.RESET_PASSWORD,
    VERIFY: LinkPurpose.VERIFY_EMAIL,
    ACCEPT: LinkPurpose.ACCEPT_INVITATION,
}
ROUTES = list(PURPOSES)


@pytest.fixture
async def person(people: People) -> Person:
    return await people.create(f"POST:{INVITE}")


@pytest.fixture
async def tokens(client: httpx.AsyncClient, deliver: Deliver, person: Person) -> dict[str, str]:
    """A link for each route, by the route."""
    await client.post(FORGOT, json={"email": person.user.email})
    await client.post(SEND, headers=person.headers)
    await client.post(INVITE, json={"email": f"{uuid4().hex}@example.com"}, headers=person.headers)
    return dict(zip(ROUTES, map(token_of, await deliver()), strict=True))


@pytest.fixture
def use(client: httpx.AsyncClient, person: Person) -> Use:
    """Uses a token at a route, with a body that is right otherwise."""

    async def send(route: str, token: str) -> httpx.Response:
        body = {"token": token}
        if route != VERIFY:
            body |= await encrypted(client)
        if route == ACCEPT:
            body |= {"username": uuid4().hex}
        return await client.post(route, json=body, headers=person.headers if route == VERIFY else {})

    return send


def is_refused(response: httpx.Response) -> bool:
    return (response.status_code, response.json()["error"]) == (400, "auth.invalid_link")


@pytest.mark.parametrize("route", ROUTES)
class TestALink:
    async def test_serves_once(self, use: Use, tokens: dict[str, str], route: str) -> None:
        assert (await use(route, tokens[route])).is_success
        assert is_refused(await use(route, tokens[route]))

    async def test_expires(self, use: Use, tokens: dict[str, str], route: str, uow: UnitOfWork) -> None:
        earlier = {"expires_at": col(EmailLink.expires_at) - timedelta(minutes=30)}
        await uow.session.exec(update(EmailLink).values(earlier))
        await uow.session.commit()
        assert is_refused(await use(route, tokens[route]))

    async def test_is_good_for_half_an_hour(
        self, use: Use, tokens: dict[str, str], route: str, uow: UnitOfWork
    ) -> None:
        earlier = {"expires_at": col(EmailLink.expires_at) - timedelta(minutes=29)}
        await uow.session.exec(update(EmailLink).values(earlier))
        await uow.session.commit()
        assert (await use(route, tokens[route])).is_success

    async def test_serves_no_other_purpose(self, use: Use, tokens: dict[str, str], route: str) -> None:
        others = [token for other, token in tokens.items() if other != route]
        assert all([is_refused(await use(route, token)) for token in others])
        assert (await use(route, tokens[route])).is_success

    async def test_ends_with_its_user(
        self, use: Use, tokens: dict[str, str], route: str, uow: UnitOfWork, person: Person
    ) -> None:
        await uow.session.exec(update(User).where(col(User.id) == person.user.id).values(status=False))
        await uow.session.commit()
        assert is_refused(await use(route, tokens[route]))


@pytest.mark.parametrize("route", [RESET, VERIFY])
@pytest.mark.parametrize("change", [{"password_hash": "another"}, {"email": "another@example.com"}], ids=str)
async def test_a_change_of_password_or_address_ends_a_link(
    use: Use, tokens: dict[str, str], uow: UnitOfWork, person: Person, route: str, change: dict[str, str]
) -> None:
    await uow.session.exec(update(User).where(col(User.id) == person.user.id).values(change))
    await uow.session.commit()
    assert is_refused(await use(route, tokens[route]))


@pytest.mark.slow
async def test_none_of_500_changed_tokens_is_accepted(
    client: httpx.AsyncClient, tokens: dict[str, str], uow: UnitOfWork, person: Person
) -> None:
    """Cut, prolonged, swapped in case, with one character changed: of the link itself, and at its route for a part."""
    key = await encrypted(client)
    chance = random.Random(22)  # noqa: S311 - reproducible, not secret
    links, statuses = EmailLinkService(uow), Counter[int]()
    for number in range(500):
        route = ROUTES[number % len(ROUTES)]
        token = _changed(tokens[route], chance)
        with pytest.raises(InvalidLinkError):
            await links.redeem(PURPOSES[route], token)
        if number % 5:
            continue
        body = {"token": token} | (key if route != VERIFY else {}) | ({"username": "x"} if route == ACCEPT else {})
        headers = person.headers if route == VERIFY else {}
        statuses[(await client.post(route, json=body, headers=headers)).status_code] += 1
    assert statuses.keys() <= {400, 422}
    assert sum(statuses.values()) == 100


def _changed(token: str, chance: random.Random) -> str:
    position = chance.randrange(len(token))
    changes = [
        token[:position],
        token + chance.choice([" ", "=", "\n", "\0", "A", "é", token]),
        token.swapcase(),
        token[::-1],
        token[:position] + chance.choice(string.ascii_letters + string.digits) + token[position + 1 :],
        " " + token,
        chance.choice(["", "null", "../..", "%00", "' OR 1=1 --"]),
    ]
    changed = chance.choice(changes)
    return changed if changed != token else token + "_"


async def test_of_concurrent_uses_one_succeeds(resources: Resources) -> None:
    """On connections of their own."""
    name = uuid4().hex
    async with resources.unit_of_work() as uow:
        fields = {"name": "n", "username": name, "email": f"{name}@example.com", "password_hash": "x"}
        user = await UserCRUD(uow.session).create(fields)
        links = EmailLinkService(uow)
        tokens = [await links.issue(LinkPurpose.RESET_PASSWORD, user) for _ in range(2)]
    outcomes: Counter[str] = Counter()

    async def use(token: str) -> None:
        try:
            async with resources.unit_of_work() as uow:
                found = await EmailLinkService(uow).redeem_for_user(LinkPurpose.RESET_PASSWORD, token)
                await UserCRUD(uow.session).update(found, {"password_hash": uuid4().hex})
        except InvalidLinkError:
            outcomes["refused"] += 1
        else:
            outcomes["accepted"] += 1

    await asyncio.gather(*(use(tokens[number % 2]) for number in range(8)))
    async with resources.unit_of_work() as uow:
        await UserCRUD(uow.session).delete(await UserCRUD(uow.session).get(user.id))
    assert outcomes == {"accepted": 1, "refused": 7}


@pytest.mark.usefixtures("tokens")
async def test_expired_rows_are_deleted_by_a_scheduled_task(uow: UnitOfWork, resources: Resources) -> None:
    await uow.session.exec(update(EmailLink).values(expires_at=utc_now() - timedelta(days=1)))
    await TaskRunService(uow, resources).prune()
    assert (await uow.session.exec(select(EmailLink))).all() == []


async def test_concurrent_mails_to_one_address_are_five(resources: Resources) -> None:
    """On connections of their own."""
    email = f"{uuid4().hex}@example.com"
    purpose = LinkPurpose.ACCEPT_INVITATION

    async def ask(number: int) -> bool:
        async with resources.unit_of_work() as uow:
            links, address = EmailLinkService(uow), email.upper() if number % 2 else email
            allowed = await links.is_mail_allowed(purpose, address)
            if allowed:
                fields = {"purpose": purpose, "email": address, "expires_at": utc_now() + timedelta(minutes=30)}
                await links.links.create(fields)
            return allowed

    allowed = await asyncio.gather(*map(ask, range(20)))
    async with resources.unit_of_work() as uow:
        await uow.session.exec(delete(EmailLink).where(func.lower(EmailLink.email) == email))
    assert sum(allowed) == 5
