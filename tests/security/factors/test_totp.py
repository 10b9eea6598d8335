"""Authenticator apps."""

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4
from xml.etree import ElementTree

import httpx
import pytest
from sqlmodel import select

from src.core.resources import Resources
from src.core.security.secret_box import SecretBox
from src.core.security.throttle import LoginClient, LoginThrottle
from src.core.unit_of_work import UnitOfWork
from src.crud.session import digest
from src.crud.user_factor import UserFactorCRUD
from src.main import app as application
from src.models.user import User
from src.models.user_factor import FactorKind, UserFactor
from tests.security.conftest import Clock
from tests.security.factors.conftest import (
    AGENT,
    FACTORS,
    LOGIN,
    AddApp,
    App,
    begin,
    confirm,
    data,
    fail_as_strangers,
    first_step,
    outcome,
    second_step,
)
from tests.support.login import encrypted, log_in
from tests.support.people import People, Person

WRONG = 401, "auth.invalid_factor"
OVER = 401, "auth.invalid_ticket"
THROTTLED = 429, "auth.throttled"


class TestAnAppThatIsAdded:
    async def test_shows_its_secret_once(self, client: httpx.AsyncClient, person: Person) -> None:
        enrolment = await begin(client, person, name="Phone")
        uri = urlsplit(enrolment["uri"])
        assert (uri.scheme, uri.netloc, parse_qs(uri.query)["secret"]) == ("otpauth", "totp", [enrolment["secret"]])
        assert person.user.username in uri.path
        picture = ElementTree.fromstring(enrolment["qrSvg"])  # noqa: S314 - written by the application
        assert picture.tag == "{http://www.w3.org/2000/svg}svg"  # without its namespace, no image

    async def test_needs_no_body(self, client: httpx.AsyncClient, person: Person) -> None:
        data(await client.post(f"{FACTORS}/totp", headers=person.headers), 201)

    async def test_counts_once_it_is_confirmed(self, client: httpx.AsyncClient, person: Person, clock: Clock) -> None:
        enrolment = await begin(client, person, name="Phone")
        assert data(await client.get(FACTORS, headers=person.headers)) == []
        assert (await log_in(client, person.user.username)).status_code == 200
        app = App(enrolment["id"], enrolment["secret"], clock, [])
        assert outcome(await confirm(client, person, app.id, code=app.code(5))) == (400, "auth.invalid_proof")
        assert (await confirm(client, person, app.id, code=app.code())).status_code == 200
        (factor,) = data(await client.get(FACTORS, headers=person.headers))
        assert (factor["id"], factor["kind"], factor["name"]) == (app.id, "totp", "Phone")
        assert (await log_in(client, person.user.username)).status_code == 401

    async def test_is_confirmed_once(self, client: httpx.AsyncClient, person: Person, app: App) -> None:
        assert (await confirm(client, person, app.id, code=app.next_code())).status_code == 404

    async def test_is_confirmed_by_its_own_session(
        self, client: httpx.AsyncClient, people: People, person: Person, clock: Clock
    ) -> None:
        enrolment = await begin(client, person)
        app = App(enrolment["id"], enrolment["secret"], clock, [])
        for other in (await people.login(person.user), await people.create()):
            assert (await confirm(client, other, app.id, code=app.code())).status_code == 404

    async def test_is_tried_ten_times(self, client: httpx.AsyncClient, person: Person, clock: Clock) -> None:
        enrolment = await begin(client, person)
        app = App(enrolment["id"], enrolment["secret"], clock, [])
        assert [(await confirm(client, person, app.id, code=app.code(9))).status_code for _ in range(11)] == [
            *[400] * 10,
            404,
        ]
        assert (await confirm(client, person, app.id, code=app.code())).status_code == 404

    async def test_has_an_encrypted_secret(
        self, client: httpx.AsyncClient, person: Person, uow: UnitOfWork, resources: Resources, clock: Clock
    ) -> None:
        enrolment = await begin(client, person)
        app = App(enrolment["id"], enrolment["secret"], clock, [])
        key = f"auth:ticket:enrolment:{person.tokens.session_id}:{app.id}"
        stored = await resources.redis.hgetall(key)
        assert app.secret not in str(stored)
        assert app.secret.encode().hex() not in str(stored)
        data(await confirm(client, person, app.id, code=app.code()))
        assert not await resources.redis.exists(key)
        factor = (await uow.session.exec(select(UserFactor).where(UserFactor.user_id == person.user.id))).one()
        assert app.secret.encode() not in (factor.secret or b"")
        box = SecretBox(resources.settings.factors)
        assert box.decrypt(factor.secret or b"", person.user.id) == app.secret.encode()
        assert box.decrypt(factor.secret or b"", uuid4()) is None

    async def test_is_one_of_twenty(self, client: httpx.AsyncClient, person: Person, uow: UnitOfWork, app: App) -> None:
        rows = [{"user_id": person.user.id, "kind": "totp", "name": "One more"} for _ in range(19)]
        await UserFactorCRUD(uow.session).create_many(rows)
        await uow.session.commit()
        enrolment = await begin(client, person)
        another = App(enrolment["id"], enrolment["secret"], app.clock, [])
        response = await confirm(client, person, another.id, code=another.code())
        assert outcome(response) == (409, "factors.too_many")


class TestALogin:
    async def test_takes_two_steps(self, client: httpx.AsyncClient, person: Person, app: App) -> None:
        step = await first_step(client, person)
        assert step.kinds == ["totp", "recovery_code"]
        tokens = data(await second_step(client, step, code=app.next_code()))
        headers = {"Authorization": f"Bearer {tokens['accessToken']}"}
        (factor,) = data(await client.get(FACTORS, headers=headers))
        assert factor["lastUsedAt"] is not None

    @pytest.mark.parametrize("steps", [-1, 0, 1])
    async def test_takes_codes_of_neighbouring_steps(
        self, client: httpx.AsyncClient, person: Person, app: App, steps: int
    ) -> None:
        app.clock.advance(120)
        assert (await second_step(client, await first_step(client, person), code=app.code(steps))).status_code == 200

    @pytest.mark.parametrize("steps", [-3, -2, 2, 3])
    async def test_takes_no_others(self, client: httpx.AsyncClient, person: Person, app: App, steps: int) -> None:
        app.clock.advance(120)
        assert outcome(await second_step(client, await first_step(client, person), code=app.code(steps))) == WRONG

    async def test_takes_a_code_once(self, client: httpx.AsyncClient, person: Person, app: App) -> None:
        confirming = app.code()
        assert outcome(await second_step(client, await first_step(client, person), code=confirming)) == WRONG
        code = app.next_code()
        assert (await second_step(client, await first_step(client, person), code=code)).status_code == 200
        for used in (code, app.code(-1)):
            assert outcome(await second_step(client, await first_step(client, person), code=used)) == WRONG

    async def test_takes_the_code_of_any_app(
        self, client: httpx.AsyncClient, person: Person, app: App, add_app: AddApp
    ) -> None:
        other = await add_app(person)
        assert other.recovery_codes == []
        for each in (app, other):
            response = await second_step(client, await first_step(client, person), code=each.next_code())
            assert response.status_code == 200

    async def test_refuses_the_code_of_somebody_else(
        self, client: httpx.AsyncClient, people: People, person: Person, app: App, add_app: AddApp
    ) -> None:
        other = await add_app(await people.create())
        step = await first_step(client, person)
        assert outcome(await second_step(client, step, code=other.next_code())) == WRONG
        assert (await second_step(client, step, code=app.next_code())).status_code == 200


class TestATicket:
    async def test_serves_once(self, client: httpx.AsyncClient, person: Person, app: App) -> None:
        step = await first_step(client, person)
        assert (await second_step(client, step, code=app.next_code())).status_code == 200
        assert outcome(await second_step(client, step, code=app.next_code())) == OVER

    async def test_has_five_attempts(self, client: httpx.AsyncClient, person: Person, app: App) -> None:
        step = await first_step(client, person)
        for _ in range(5):
            assert outcome(await second_step(client, step, code=app.code(9))) == WRONG
        assert outcome(await second_step(client, step, code=app.next_code())) == OVER

    async def test_is_the_clients(self, client: httpx.AsyncClient, person: Person, app: App) -> None:
        step = await first_step(client, person)
        body = {"ticket": step.ticket, "code": app.next_code()}
        assert outcome(await client.post(LOGIN, json=body, headers={"User-Agent": "another"})) == OVER

    async def test_expires(self, client: httpx.AsyncClient, person: Person, app: App, resources: Resources) -> None:
        step = await first_step(client, person)
        key = f"auth:ticket:{digest(step.ticket)}"
        assert 290 < await resources.redis.ttl(key) <= 300
        await resources.redis.delete(key)
        assert outcome(await second_step(client, step, code=app.next_code())) == OVER

    @pytest.mark.parametrize("change", ["password", "status"])
    async def test_ends_with_the_account_as_it_was(
        self, client: httpx.AsyncClient, person: Person, app: App, admin: Person, change: str
    ) -> None:
        step = await first_step(client, person)
        body: dict[str, Any] = {"status": False} if change == "status" else await encrypted(client, uuid4().hex)
        path = f"/api/v1/users/{person.user.id}/{change}"
        assert (await client.put(path, json=body, headers=admin.headers)).status_code == 200
        assert outcome(await second_step(client, step, code=app.next_code())) == OVER

    async def test_is_for_nobody_else(
        self, client: httpx.AsyncClient, people: People, person: Person, app: App, add_app: AddApp
    ) -> None:
        other = await people.create()
        others = await add_app(other)
        step = await first_step(client, other)
        assert outcome(await second_step(client, step, code=app.next_code())) == WRONG
        assert (await second_step(client, step, code=others.next_code())).status_code == 200

    @pytest.mark.parametrize("body", [{}, {"code": "123456", "credential": {}}, {"code": ""}, {"code": 1}])
    async def test_comes_with_one_proof(self, client: httpx.AsyncClient, body: dict[str, Any]) -> None:
        assert (await client.post(LOGIN, json={"ticket": "x", **body}, headers=AGENT)).status_code == 422


class TestGuessing:
    async def guess(self, app: App, person: Person, client: httpx.AsyncClient) -> tuple[int, str | None]:
        step = await first_step(client, person)
        return outcome(await second_step(client, step, code=app.code(9)))

    async def test_is_bounded_over_addresses(
        self, client: httpx.AsyncClient, person: Person, app: App, resources: Resources
    ) -> None:
        answers = []
        for _ in range(12):
            transport = httpx.ASGITransport(application, client=(f"test-{uuid4().hex}", 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as stranger:
                response = await log_in(stranger, person.user.username)
                if response.status_code == 401:
                    body = {"ticket": response.json()["data"]["ticket"], "code": app.code(9)}
                    response = await stranger.post(LOGIN, json=body, headers=AGENT)
                answers.append(outcome(response))
        assert answers == [*[WRONG] * 10, *[THROTTLED] * 2]

    async def test_is_bounded_for_a_day(self, resources: Resources) -> None:
        account, clients = uuid4().hex, [LoginClient(uuid4().hex) for _ in range(60)]
        results: Sequence[Any] = await asyncio.gather(
            *(resources.throttle.admit_code(account, client) for client in clients), return_exceptions=True
        )
        admitted = sum(isinstance(result, int) for result in results)
        assert admitted == resources.settings.auth.code_failures_per_day
        ttl = await resources.redis.ttl(f"auth:codes:{{login}}:account:{account}")
        assert 86_000 < ttl <= 86_400

    async def test_of_the_password_is_bounded_at_once(
        self, client: httpx.AsyncClient, person: Person, app: App, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Others use the budget up while the right password is checked: nobody learns that it is right."""
        admit, calls = LoginThrottle.admit, 0

        async def admit_before_others(throttle: LoginThrottle, account: str, login: LoginClient) -> None:
            nonlocal calls
            await admit(throttle, account, login)
            calls += 1
            if calls == 1:
                await fail_as_strangers(throttle, account)

        monkeypatch.setattr(LoginThrottle, "admit", admit_before_others)
        assert outcome(await log_in(client, person.user.username)) == THROTTLED

    async def test_right_codes_do_not_count(
        self, client: httpx.AsyncClient, person: Person, app: App, resources: Resources
    ) -> None:
        for _ in range(3):
            response = await second_step(client, await first_step(client, person), code=app.next_code())
            assert response.status_code == 200
        keys = [key async for key in resources.redis.scan_iter(f"auth:codes:*{person.user.username_key}")]
        counts = [await resources.redis.get(key) for key in keys if ":seen:" not in key]
        assert {int(count) for count in counts if count is not None} <= {0}

    async def test_is_forgiven_by_unlocking(self, resources: Resources) -> None:
        account, client = uuid4().hex, LoginClient(uuid4().hex)
        for _ in range(30):
            await resources.throttle.admit_code(account, client)
        assert await resources.throttle.unlock(account)
        await resources.throttle.admit_code(account, client)


class TestAtOnce:
    async def test_one_of_ten_logins_with_one_code_succeeds(self, resources: Resources) -> None:
        """On connections of their own: what serialises them is the row."""
        name = uuid4().hex
        user = User(name="x", username=name, email=f"{name}@example.com", password_hash="")
        factor = UserFactor(user_id=user.id, kind=FactorKind.TOTP, name="x", secret=b"", last_step=1)
        async with resources.unit_of_work() as uow:
            uow.session.add(user)
            await uow.session.flush()
            uow.session.add(factor)

        async def accept() -> bool:
            async with resources.unit_of_work() as uow:
                return await UserFactorCRUD(uow.session).accept_step(factor.id, 2, b"")

        try:
            assert sorted(await asyncio.gather(*(accept() for _ in range(10)))) == [*[False] * 9, True]
        finally:
            async with resources.unit_of_work() as uow:
                await uow.session.delete(await uow.session.get_one(User, user.id))
