"""Passkeys, as second factors and in place of the password."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest

from src.core.resources import Resources
from src.crud.user_factor import UserFactorCRUD
from src.models.user import User
from src.models.user_factor import FactorKind, UserFactor
from tests.security.conftest import Clock
from tests.security.factors.conftest import (
    FACTORS,
    PASSKEY_LOGIN,
    AddPasskey,
    begin,
    confirm,
    data,
    fail_as_strangers,
    first_step,
    outcome,
    passkey_login,
    passkey_options,
    second_step,
)
from tests.support.authenticator import PRESENT, VERIFIED, Authenticator
from tests.support.login import log_in
from tests.support.people import People, Person

WRONG_FACTOR = 401, "auth.invalid_factor"
WRONG = 401, "auth.invalid_credentials"
WRONG_PROOF = 400, "auth.invalid_proof"


class TestAPasskeyThatIsAdded:
    async def test_is_resident_and_verifies_its_user(self, client: httpx.AsyncClient, person: Person) -> None:
        options = (await begin(client, person, "passkey"))["options"]
        selection = options["authenticatorSelection"]
        assert (selection["residentKey"], selection["userVerification"]) == ("required", "required")
        assert (options["rp"]["id"], options["user"]["name"]) == ("localhost", person.user.username)

    async def test_is_listed(self, client: httpx.AsyncClient, person: Person, passkey: Authenticator) -> None:
        (factor,) = data(await client.get(FACTORS, headers=person.headers))
        assert (factor["kind"], factor["name"]) == ("passkey", "Passkey")

    async def test_is_not_added_twice(self, client: httpx.AsyncClient, person: Person, passkey: Authenticator) -> None:
        enrolment = await begin(client, person, "passkey")
        assert len(enrolment["options"]["excludeCredentials"]) == 1
        again = passkey.create(enrolment["options"])
        assert (await confirm(client, person, enrolment["id"], credential=again)).status_code == 409

    @pytest.mark.parametrize(
        "fault",
        [
            {"origin": "https://evil.example"},
            {"origin": "http://localhost.evil.example"},
            {"rp_id": "evil.example"},
            {"cross_origin": True},
            {"flags": PRESENT},
            {"flags": VERIFIED},
        ],
    )
    async def test_must_be_ours_and_verified(
        self, client: httpx.AsyncClient, person: Person, fault: dict[str, Any]
    ) -> None:
        enrolment = await begin(client, person, "passkey")
        credential = Authenticator(**fault).create(enrolment["options"])
        assert outcome(await confirm(client, person, enrolment["id"], credential=credential)) == WRONG_PROOF

    async def test_has_a_challenge_of_its_own(
        self, client: httpx.AsyncClient, people: People, person: Person, clock: Clock
    ) -> None:
        enrolment, other = await begin(client, person, "passkey"), await begin(client, person, "passkey")
        stranger = await begin(client, await people.create(), "passkey")
        login = await passkey_options(client)
        for challenge in (other["options"], stranger["options"], {**enrolment["options"], **login}):
            credential = Authenticator().create({**enrolment["options"], "challenge": challenge["challenge"]})
            assert outcome(await confirm(client, person, enrolment["id"], credential=credential)) == WRONG_PROOF
        clock.advance(301)
        late = Authenticator().create(enrolment["options"])
        assert outcome(await confirm(client, person, enrolment["id"], credential=late))[0] in (400, 404)


class TestALoginWithoutAPassword:
    async def test_is_not_refused_for_the_passwords_of_strangers(
        self, client: httpx.AsyncClient, person: Person, passkey: Authenticator, resources: Resources
    ) -> None:
        await fail_as_strangers(resources.throttle, person.user.username_key)
        assert (await log_in(client, person.user.username)).status_code == 429
        credential = passkey.get(await passkey_options(client))
        assert (await passkey_login(client, credential)).status_code == 200

    async def test_needs_the_passkey_alone(
        self, client: httpx.AsyncClient, person: Person, passkey: Authenticator
    ) -> None:
        tokens = data(await passkey_login(client, passkey.get(await passkey_options(client))))
        headers = {"Authorization": f"Bearer {tokens['accessToken']}"}
        info = data(await client.get("/api/v1/auth/user/info", headers=headers))
        assert info["username"] == person.user.username

    async def test_names_nobody(self, client: httpx.AsyncClient, passkey: Authenticator) -> None:
        assert (await passkey_options(client)).get("allowCredentials", []) == []

    async def test_needs_the_user_in_the_assertion(self, client: httpx.AsyncClient, passkey: Authenticator) -> None:
        passkey.user_handle = None
        assert outcome(await passkey_login(client, passkey.get(await passkey_options(client)))) == WRONG

    async def test_takes_an_assertion_once(self, client: httpx.AsyncClient, passkey: Authenticator) -> None:
        credential = passkey.get(await passkey_options(client))
        assert (await passkey_login(client, credential)).status_code == 200
        assert outcome(await passkey_login(client, credential)) == WRONG

    async def test_takes_a_challenge_once(self, client: httpx.AsyncClient, passkey: Authenticator) -> None:
        options = await passkey_options(client)
        assert (await passkey_login(client, passkey.get(options))).status_code == 200
        assert outcome(await passkey_login(client, passkey.get(options))) == WRONG

    async def test_takes_the_challenge_of_its_client(self, client: httpx.AsyncClient, passkey: Authenticator) -> None:
        credential = passkey.get(await passkey_options(client))
        body = {"credential": credential}
        assert outcome(await client.post(PASSKEY_LOGIN, json=body, headers={"User-Agent": "another"})) == WRONG

    async def test_takes_no_old_challenge(
        self, client: httpx.AsyncClient, passkey: Authenticator, clock: Clock
    ) -> None:
        options = await passkey_options(client)
        clock.advance(301)
        assert outcome(await passkey_login(client, passkey.get(options))) == WRONG

    async def test_takes_no_counter_that_stands_still(self, client: httpx.AsyncClient, passkey: Authenticator) -> None:
        assert (await passkey_login(client, passkey.get(await passkey_options(client)))).status_code == 200
        passkey.sign_count -= 1  # as a copy of the key would have it
        assert outcome(await passkey_login(client, passkey.get(await passkey_options(client)))) == WRONG

    async def test_takes_passkeys_that_do_not_count(self, client: httpx.AsyncClient, passkey: Authenticator) -> None:
        passkey.counts = False
        for _ in range(2):
            assert (await passkey_login(client, passkey.get(await passkey_options(client)))).status_code == 200

    async def test_is_for_enabled_users(
        self, client: httpx.AsyncClient, person: Person, passkey: Authenticator, admin: Person
    ) -> None:
        path = f"/api/v1/users/{person.user.id}/status"
        await client.put(path, json={"status": False}, headers=admin.headers)
        assert outcome(await passkey_login(client, passkey.get(await passkey_options(client)))) == WRONG

    async def test_is_not_possible_after_it_was_removed(
        self, client: httpx.AsyncClient, person: Person, passkey: Authenticator
    ) -> None:
        (factor,) = data(await client.get(FACTORS, headers=person.headers))
        await client.delete(f"{FACTORS}/{factor['id']}", headers=person.headers)
        assert outcome(await passkey_login(client, passkey.get(await passkey_options(client)))) == WRONG


class TestASecondStep:
    async def test_takes_the_passkey(self, client: httpx.AsyncClient, person: Person, passkey: Authenticator) -> None:
        step = await first_step(client, person)
        assert step.kinds == ["passkey", "recovery_code"]
        assert step.options is not None
        assert (await second_step(client, step, credential=passkey.get(step.options))).status_code == 200

    async def test_takes_the_challenge_of_its_ticket(
        self, client: httpx.AsyncClient, person: Person, passkey: Authenticator
    ) -> None:
        step, other = await first_step(client, person), await first_step(client, person)
        assert other.options is not None
        for options in (other.options, await passkey_options(client)):
            assert outcome(await second_step(client, step, credential=passkey.get(options))) == WRONG_FACTOR

    async def test_refuses_the_passkey_of_somebody_else(
        self, client: httpx.AsyncClient, people: People, person: Person, passkey: Authenticator, add_passkey: AddPasskey
    ) -> None:
        other = await add_passkey(await people.create())
        step = await first_step(client, person)
        assert step.options is not None
        assert outcome(await second_step(client, step, credential=other.get(step.options))) == WRONG_FACTOR


class TestAtOnce:
    async def test_one_of_ten_equal_counters_is_accepted(self, resources: Resources) -> None:
        name = uuid4().hex
        user = User(name="x", username=name, email=f"{name}@example.com", password_hash="")
        factor = UserFactor(user_id=user.id, kind=FactorKind.PASSKEY, name="x", credential_id=user.id.bytes)
        async with resources.unit_of_work() as uow:
            uow.session.add(user)
            await uow.session.flush()
            uow.session.add(factor)

        async def accept() -> bool:
            async with resources.unit_of_work() as uow:
                return await UserFactorCRUD(uow.session).accept_sign_count(factor.id, 1)

        try:
            assert sorted(await asyncio.gather(*(accept() for _ in range(10)))) == [*[False] * 9, True]
        finally:
            async with resources.unit_of_work() as uow:
                await uow.session.delete(await uow.session.get_one(User, user.id))
