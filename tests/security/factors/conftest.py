"""People with second factors, added as frontends add them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import httpx
import pyotp
import pytest

from src.core.security.throttle import LoginClient, LoginThrottle
from tests.security.conftest import Clock
from tests.support.authenticator import Authenticator
from tests.support.login import log_in
from tests.support.people import USER_AGENT, Person

FACTORS = "/api/v1/auth/factors"
LOGIN = "/api/v1/auth/login/factor"
PASSKEY_LOGIN = "/api/v1/auth/login/passkey"
PROOF = "/api/v1/auth/reauthentication"
CODES = f"{FACTORS}/recovery-codes"
AGENT = {"User-Agent": USER_AGENT}
STEP_SECONDS = 30


@dataclass(frozen=True)
class App:
    """An authenticator app with one secret."""

    id: str
    secret: str
    clock: Clock
    recovery_codes: list[str]

    def code(self, steps: int = 0) -> str:
        """The code that the app shows now, or so many steps later."""
        return pyotp.TOTP(self.secret).at(int(self.clock()) + steps * STEP_SECONDS)

    def next_code(self) -> str:
        """Wait for the next code."""
        self.clock.advance(STEP_SECONDS)
        return self.code()


@dataclass(frozen=True)
class Step:
    """What a client got for the first step of a login."""

    ticket: str
    kinds: list[str]
    options: dict[str, Any] | None


def data(response: httpx.Response, status: int = 200) -> Any:
    """The data of a response with this status."""
    assert response.status_code == status, response.text
    return response.json()["data"]


def outcome(response: httpx.Response) -> tuple[int, str | None]:
    """Status and name of the error."""
    return response.status_code, response.json().get("error")


async def begin(client: httpx.AsyncClient, person: Person, kind: str = "totp", **body: Any) -> Any:
    """Begin to add a factor."""
    return data(await client.post(f"{FACTORS}/{kind}", json=body, headers=person.headers), 201)


async def confirm(client: httpx.AsyncClient, person: Person, factor_id: str, **proof: Any) -> httpx.Response:
    """Confirm a factor."""
    return await client.post(f"{FACTORS}/{factor_id}/confirm", json=proof, headers=person.headers)


async def first_step(client: httpx.AsyncClient, person: Person) -> Step:
    """Log in with the password."""
    response = await log_in(client, person.user.username)
    assert outcome(response) == (401, "auth.factor_required")
    challenge = response.json()["data"]
    return Step(challenge["ticket"], challenge["kinds"], challenge["passkeyOptions"])


async def second_step(client: httpx.AsyncClient, step: Step, **proof: Any) -> httpx.Response:
    """Prove the second factor."""
    return await client.post(LOGIN, json={"ticket": step.ticket, **proof}, headers=AGENT)


async def passkey_options(client: httpx.AsyncClient) -> dict[str, Any]:
    """Begin a login without a password."""
    options: dict[str, Any] = data(await client.post(f"{PASSKEY_LOGIN}/options", headers=AGENT))["options"]
    return options


async def passkey_login(client: httpx.AsyncClient, credential: Any) -> httpx.Response:
    """Log in without a password."""
    return await client.post(PASSKEY_LOGIN, json={"credential": credential}, headers=AGENT)


async def fail_as_strangers(throttle: LoginThrottle, account: str) -> None:
    """Use up the wrong passwords that strangers have."""
    for _ in range(10):
        await throttle.fail(account, LoginClient(uuid4().hex))


AddApp = Callable[[Person], Awaitable[App]]
AddPasskey = Callable[[Person], Awaitable[Authenticator]]


@pytest.fixture
def add_app(client: httpx.AsyncClient, clock: Clock) -> AddApp:
    async def add(person: Person) -> App:
        enrolment = await begin(client, person)
        app = App(enrolment["id"], enrolment["secret"], clock, [])
        confirmed = data(await confirm(client, person, app.id, code=app.code()))
        return replace(app, recovery_codes=confirmed["recoveryCodes"] or [])

    return add


@pytest.fixture
def add_passkey(client: httpx.AsyncClient) -> AddPasskey:
    async def add(person: Person) -> Authenticator:
        enrolment, authenticator = await begin(client, person, "passkey"), Authenticator()
        data(await confirm(client, person, enrolment["id"], credential=authenticator.create(enrolment["options"])))
        return authenticator

    return add


@pytest.fixture
async def app(person: Person, add_app: AddApp) -> App:
    """An app of `person`."""
    return await add_app(person)


@pytest.fixture
async def passkey(person: Person, add_passkey: AddPasskey) -> Authenticator:
    """A passkey of `person`."""
    return await add_passkey(person)
