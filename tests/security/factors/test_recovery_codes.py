"""Recovery codes, removal, and administration of factors."""

import asyncio
import re
from uuid import uuid4

import httpx
from sqlmodel import select

from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.crud.user_factor import RecoveryCodeCRUD
from src.models.user import User
from src.models.user_factor import FactorKind, RecoveryCode, UserFactor
from src.services.factor import FactorService
from src.services.user_operator import UserOperatorService
from tests.security.factors.conftest import (
    CODES,
    FACTORS,
    AddApp,
    AddPasskey,
    App,
    data,
    first_step,
    outcome,
    second_step,
)
from tests.support.login import log_in
from tests.support.people import People, Person

WRONG = 401, "auth.invalid_factor"
REMOVE = "DELETE:/api/v1/users/{userId}/factors"


async def left(client: httpx.AsyncClient, person: Person) -> int:
    return int(data(await client.get(CODES, headers=person.headers))["left"])


class TestRecoveryCodes:
    async def test_come_with_the_first_factor(self, client: httpx.AsyncClient, person: Person, app: App) -> None:
        assert len(set(app.recovery_codes)) == 10
        assert all(re.fullmatch(r"[0-9a-f]{5}(-[0-9a-f]{5}){3}", code) for code in app.recovery_codes)
        assert await left(client, person) == 10

    async def test_serve_once_each(self, client: httpx.AsyncClient, person: Person, app: App) -> None:
        first, second, *_ = app.recovery_codes
        for code in (first, second.replace("-", " ").upper()):
            assert (await second_step(client, await first_step(client, person), code=code)).status_code == 200
            assert outcome(await second_step(client, await first_step(client, person), code=code)) == WRONG
        assert await left(client, person) == 8

    async def test_are_stored_as_hashes(self, uow: UnitOfWork, person: Person, app: App) -> None:
        rows = (await uow.session.exec(select(RecoveryCode).where(RecoveryCode.user_id == person.user.id))).all()
        assert len(rows) == 10
        assert not {row.code_hash for row in rows} & set(app.recovery_codes)

    async def test_are_the_users_own(
        self, client: httpx.AsyncClient, people: People, person: Person, app: App, add_app: AddApp
    ) -> None:
        other = await people.create()
        await add_app(other)
        step = await first_step(client, other)
        assert outcome(await second_step(client, step, code=app.recovery_codes[0])) == WRONG

    async def test_are_void_when_they_are_renewed(self, client: httpx.AsyncClient, person: Person, app: App) -> None:
        new = data(await client.post(CODES, headers=person.headers))["recoveryCodes"]
        assert not set(new) & set(app.recovery_codes)
        step = await first_step(client, person)
        assert outcome(await second_step(client, step, code=app.recovery_codes[0])) == WRONG
        assert (await second_step(client, step, code=new[0])).status_code == 200

    async def test_need_a_factor(self, client: httpx.AsyncClient, person: Person) -> None:
        assert outcome(await client.post(CODES, headers=person.headers)) == (409, "factors.none")

    async def test_serve_once_at_once(self, resources: Resources) -> None:
        name = uuid4().hex
        user = User(name="x", username=name, email=f"{name}@example.com", password_hash="")
        async with resources.unit_of_work() as uow:
            uow.session.add(user)
            await uow.session.flush()
            await RecoveryCodeCRUD(uow.session).replace(user.id, ["a", "b"])

        async def use() -> bool:
            async with resources.unit_of_work() as uow:
                return await RecoveryCodeCRUD(uow.session).use(user.id, "a")

        try:
            assert sorted(await asyncio.gather(*(use() for _ in range(10)))) == [*[False] * 9, True]
        finally:
            async with resources.unit_of_work() as uow:
                await uow.session.delete(await uow.session.get_one(User, user.id))

    async def test_are_ten_however_often_they_are_renewed_at_once(self, resources: Resources) -> None:
        name = uuid4().hex
        user = User(name="x", username=name, email=f"{name}@example.com", password_hash="")
        async with resources.unit_of_work() as uow:
            uow.session.add(user)
            await uow.session.flush()
            uow.session.add(UserFactor(user_id=user.id, kind=FactorKind.TOTP, name="x", secret=b"", last_step=1))

        async def renew() -> None:
            async with resources.unit_of_work() as uow:
                await FactorService(uow, resources).renew_recovery_codes(user.id)

        try:
            await asyncio.gather(*(renew() for _ in range(5)))
            async with resources.unit_of_work() as uow:
                assert await FactorService(uow, resources).count_recovery_codes(user.id) == 10
        finally:
            async with resources.unit_of_work() as uow:
                await uow.session.delete(await uow.session.get_one(User, user.id))


class TestRemoving:
    async def test_the_last_one_ends_the_second_step(self, client: httpx.AsyncClient, person: Person, app: App) -> None:
        assert (await client.delete(f"{FACTORS}/{app.id}", headers=person.headers)).status_code == 200
        assert (await log_in(client, person.user.username)).status_code == 200
        assert await left(client, person) == 0

    async def test_one_of_two_keeps_it(
        self, client: httpx.AsyncClient, person: Person, app: App, add_app: AddApp
    ) -> None:
        other = await add_app(person)
        await client.delete(f"{FACTORS}/{app.id}", headers=person.headers)
        step = await first_step(client, person)
        assert outcome(await second_step(client, step, code=app.next_code())) == WRONG
        assert (await second_step(client, step, code=other.code())).status_code == 200

    async def test_those_of_others_is_impossible(self, client: httpx.AsyncClient, people: People, app: App) -> None:
        other = await people.create(is_admin=True)
        assert (await client.delete(f"{FACTORS}/{app.id}", headers=other.headers)).status_code == 404


class TestAdministrators:
    async def test_remove_all_and_end_the_sessions(
        self, client: httpx.AsyncClient, person: Person, app: App, admin: Person
    ) -> None:
        path = f"/api/v1/users/{person.user.id}/factors"
        assert [row["id"] for row in data(await client.get(path, headers=admin.headers))] == [app.id]
        assert (await client.delete(path, headers=admin.headers)).status_code == 200
        assert (await client.get(FACTORS, headers=person.headers)).status_code == 401
        assert (await log_in(client, person.user.username)).status_code == 200

    async def test_need_the_code(self, client: httpx.AsyncClient, people: People, person: Person, app: App) -> None:
        path = f"/api/v1/users/{person.user.id}/factors"
        assert (await client.delete(path, headers=(await people.create()).headers)).status_code == 403
        assert (await client.delete(path, headers=(await people.create(REMOVE)).headers)).status_code == 200

    async def test_remove_none_of_stronger_ones(
        self, client: httpx.AsyncClient, people: People, admin: Person, add_app: AddApp
    ) -> None:
        await add_app(admin)
        path = f"/api/v1/users/{admin.user.id}/factors"
        assert (await client.delete(path, headers=(await people.create(REMOVE)).headers)).status_code == 403

    async def test_remove_their_own_elsewhere(self, client: httpx.AsyncClient, admin: Person, add_app: AddApp) -> None:
        await add_app(admin)
        response = await client.delete(f"/api/v1/users/{admin.user.id}/factors", headers=admin.headers)
        assert outcome(response) == (409, "factors.own")

    async def test_leave_a_way_to_log_in(
        self, client: httpx.AsyncClient, people: People, admin: Person, add_app: AddApp, add_passkey: AddPasskey
    ) -> None:
        person = await people.create(password_hash="")
        await add_app(person)
        await add_passkey(person)
        path = f"/api/v1/users/{person.user.id}/factors"
        assert outcome(await client.delete(path, headers=admin.headers)) == (409, "auth.last_login")
        assert len(data(await client.get(path, headers=admin.headers))) == 2

    async def test_prove_who_they_are_before(
        self, client: httpx.AsyncClient, person: Person, app: App, admin: Person
    ) -> None:
        app.clock.advance(601)
        response = await client.delete(f"/api/v1/users/{person.user.id}/factors", headers=admin.headers)
        assert outcome(response) == (401, "auth.recent_login_required")


class TestOperators:
    async def test_reset_the_factors_of_who_has_lost_them(
        self, client: httpx.AsyncClient, person: Person, app: App, uow: UnitOfWork, resources: Resources
    ) -> None:
        user, number = await UserOperatorService(uow, resources).reset_factors(person.user.username)
        await uow.commit()
        assert (user.id, number) == (person.user.id, 1)
        assert (await client.get(FACTORS, headers=person.headers)).status_code == 401
        assert (await log_in(client, person.user.username)).status_code == 200
