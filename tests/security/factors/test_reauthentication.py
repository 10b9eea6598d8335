"""Step-up: routes that need a recent proof, and how to give one."""

from typing import Any

import httpx
import jwt
import pytest

from src.core.resources import Resources
from tests.security.conftest import Clock
from tests.security.factors.conftest import AGENT, CODES, FACTORS, PROOF, App, data, fail_as_strangers, outcome
from tests.support.authenticator import Authenticator
from tests.support.login import encrypted
from tests.support.people import USER_AGENT, People, Person

NOT_RECENT = 401, "auth.recent_login_required"
WRONG = 400, "auth.invalid_proof"


async def prove(client: httpx.AsyncClient, person: Person, **proof: Any) -> httpx.Response:
    return await client.post(PROOF, json=proof, headers=person.headers)


async def options(client: httpx.AsyncClient, person: Person) -> dict[str, Any]:
    answer: dict[str, Any] = data(await client.get(PROOF, headers=person.headers))
    return answer


class TestChangesOfFactors:
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", f"{FACTORS}/totp"),
            ("POST", f"{FACTORS}/passkey"),
            ("POST", CODES),
            ("POST", f"{FACTORS}/0192f0c1-0000-7000-8000-000000000000/confirm"),
            ("DELETE", f"{FACTORS}/0192f0c1-0000-7000-8000-000000000000"),
        ],
        ids=["add an app", "add a passkey", "renew codes", "confirm", "remove"],
    )
    async def test_need_a_recent_proof(
        self, client: httpx.AsyncClient, person: Person, clock: Clock, method: str, path: str
    ) -> None:
        clock.advance(601)
        response = await client.request(
            method, path, json={"code": "1"} if "confirm" in path else None, headers=person.headers
        )
        assert outcome(response) == NOT_RECENT

    async def test_are_possible_with_the_new_token(
        self, client: httpx.AsyncClient, person: Person, clock: Clock
    ) -> None:
        clock.advance(601)
        assert await options(client, person) == {"kinds": ["password"], "passkeyOptions": None}
        token = data(await prove(client, person, **await encrypted(client)))["accessToken"]
        response = await client.post(f"{FACTORS}/totp", headers={"Authorization": f"Bearer {token}"})
        assert response.status_code == 201
        refreshed = await client.post(
            "/api/v1/auth/token/refresh",
            headers={"X-Refresh-Token": person.tokens.refresh_token, "User-Agent": USER_AGENT},
        )
        times = [
            jwt.decode(each, options={"verify_signature": False})["auth_time"]
            for each in (token, data(refreshed)["accessToken"])
        ]
        assert (
            times[0]
            == times[1]
            > jwt.decode(person.tokens.access_token, options={"verify_signature": False})["auth_time"]
        )


class TestTheProof:
    async def test_is_the_second_factor_of_who_has_one(
        self, client: httpx.AsyncClient, person: Person, app: App
    ) -> None:
        assert (await options(client, person))["kinds"] == ["totp", "recovery_code"]
        assert outcome(await prove(client, person, **await encrypted(client))) == WRONG
        code = app.next_code()
        assert (await prove(client, person, code=code)).status_code == 200
        assert outcome(await prove(client, person, code=code)) == WRONG

    async def test_may_be_a_passkey(
        self, client: httpx.AsyncClient, people: People, person: Person, passkey: Authenticator
    ) -> None:
        found = (await options(client, person))["passkeyOptions"]
        other = await people.login(person.user)
        assert outcome(await prove(client, other, credential=passkey.get(found))) == WRONG
        credential = passkey.get(found)
        assert (await prove(client, person, credential=credential)).status_code == 200
        assert outcome(await prove(client, person, credential=credential)) == WRONG

    async def test_is_the_right_password(self, client: httpx.AsyncClient, person: Person) -> None:
        assert outcome(await prove(client, person, **await encrypted(client, "wrong"))) == WRONG

    async def test_is_not_refused_for_the_passwords_of_strangers(
        self, client: httpx.AsyncClient, person: Person, app: App, resources: Resources
    ) -> None:
        await fail_as_strangers(resources.throttle, person.user.username_key)
        assert (await prove(client, person, code=app.next_code())).status_code == 200

    async def test_is_not_guessed(self, client: httpx.AsyncClient, person: Person, app: App) -> None:
        answers = [outcome(await prove(client, person, code=app.code(9))) for _ in range(12)]
        assert answers == [*[WRONG] * 10, *[(429, "auth.throttled")] * 2]

    @pytest.mark.parametrize("body", [{}, {"password": "x"}, {"kid": "x"}, {"code": "1", "credential": {}}])
    async def test_is_one(self, client: httpx.AsyncClient, person: Person, body: dict[str, Any]) -> None:
        assert (await prove(client, person, **body)).status_code == 422

    async def test_needs_a_live_session(self, client: httpx.AsyncClient, person: Person) -> None:
        await client.post("/api/v1/auth/logout", headers=person.headers)
        assert (await prove(client, person, **await encrypted(client))).status_code == 401


class TestSwagger:
    async def test_takes_the_code_as_client_secret(self, client: httpx.AsyncClient, person: Person, app: App) -> None:
        form = {"username": person.user.username, "password": "correct horse battery staple"}
        path = "/api/v1/auth/login/swagger"
        assert outcome(await client.post(path, data=form, headers=AGENT)) == (401, "auth.factor_required")
        wrong = await client.post(path, data={**form, "client_secret": app.code(9)}, headers=AGENT)
        assert outcome(wrong) == (401, "auth.invalid_factor")
        right = await client.post(path, data={**form, "client_secret": app.next_code()}, headers=AGENT)
        assert right.status_code == 200
        assert right.json()["access_token"]
