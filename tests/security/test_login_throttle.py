"""Strangers cannot lock an owner out, and guess no more for it."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from textwrap import wrap
from unittest.mock import AsyncMock
from uuid import uuid4

import httpx
import pytest

from src.core.exceptions import TooManyRequestsError
from src.core.resources import Resources
from src.core.security.throttle import MAXIMUM_CLIENTS, LoginClient, LoginThrottle
from src.main import app
from src.models.user import User
from src.services.client_tokens import ClientInfo
from src.services.session import SessionService
from tests.support.login import log_in
from tests.support.people import People, Person

LIMIT = 10
UNLOCK = "POST:/api/v1/users/{userId}/unlock"

Browser = Callable[..., httpx.AsyncClient]


def address() -> str:
    return f"test-{uuid4().hex}"


@pytest.fixture
def browser(client: httpx.AsyncClient) -> Browser:
    """Makes clients, each at an address of its own; `client` brings the transaction that the application shares."""

    def make(at: str = "", **headers: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app, client=(at or address(), 1))
        return httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers)

    return make


@pytest.fixture
def throttle(resources: Resources) -> LoginThrottle:
    return resources.throttle


async def guess(throttle: LoginThrottle, account: str, client: LoginClient) -> bool:
    """A wrong password; returns whether it was checked, and the client learned that it is wrong."""
    try:
        await throttle.admit(account, client)
        await throttle.fail(account, client)
    except TooManyRequestsError:
        return False
    return True


async def attack(throttle: LoginThrottle, user: User) -> None:
    """Use up the budget of strangers, from many addresses."""
    guesses = [await guess(throttle, user.username, LoginClient(address())) for _ in range(LIMIT + 5)]
    assert sum(guesses) == LIMIT


class TestRow26StrangersLockNobodyOut:
    async def test_an_owner_logs_in_from_the_address_of_an_earlier_login(
        self, browser: Browser, people: People, throttle: LoginThrottle
    ) -> None:
        user, at = await people.user(), address()
        assert (await log_in(browser(at), user.username)).status_code == 200
        await attack(throttle, user)
        assert (await log_in(browser(at), user.username)).status_code == 200
        assert (await log_in(browser(), user.username)).status_code == 429

    async def test_an_owner_logs_in_with_the_device_token_from_anywhere(
        self, browser: Browser, people: People, throttle: LoginThrottle
    ) -> None:
        user = await people.user()
        token = (await log_in(browser(), user.username)).headers["X-Device-Token"]
        await attack(throttle, user)
        for _ in range(3):
            response = await log_in(browser(**{"X-Device-Token": token}), user.username)
            assert (response.status_code, response.headers["X-Device-Token"]) == (200, token)

    async def test_the_token_helps_at_an_address_that_is_over_its_limit(
        self, browser: Browser, people: People, throttle: LoginThrottle
    ) -> None:
        user, at = await people.user(), address()
        token = (await log_in(browser(), user.username)).headers["X-Device-Token"]
        for _ in range(100):
            await throttle.fail(uuid4().hex, LoginClient(at))
        assert (await log_in(browser(at), user.username)).status_code == 429
        assert (await log_in(browser(at, **{"X-Device-Token": token}), user.username)).status_code == 200

    @pytest.mark.parametrize("forged", ["", "a", "device:"])
    async def test_made_up_tokens_are_those_of_a_stranger(
        self, browser: Browser, people: People, throttle: LoginThrottle, forged: str
    ) -> None:
        user = await people.user()
        await attack(throttle, user)
        response = await log_in(browser(**{"X-Device-Token": forged}), user.username)
        assert response.status_code == 429

    async def test_a_token_is_that_of_one_account(
        self, browser: Browser, people: People, throttle: LoginThrottle
    ) -> None:
        mine, other = await people.user(), await people.user()
        token = (await log_in(browser(), mine.username)).headers["X-Device-Token"]
        await attack(throttle, other)
        assert (await log_in(browser(**{"X-Device-Token": token}), other.username)).status_code == 429

    async def test_tokens_are_not_stored_in_clear(self, browser: Browser, people: People, resources: Resources) -> None:
        user = await people.user()
        token = (await log_in(browser(), user.username)).headers["X-Device-Token"]
        stored = await resources.redis.zrange(f"auth:known:{{login}}:{user.username}", 0, -1)
        assert len(stored) == 2
        assert not any(token in member for member in stored)


class TestRow26GuessingStaysBounded:
    async def test_from_a_thousand_addresses(self, throttle: LoginThrottle) -> None:
        account = uuid4().hex
        guesses = [guess(throttle, account, LoginClient(address(), uuid4().hex)) for _ in range(1000)]
        assert sum(await asyncio.gather(*guesses)) == LIMIT

    async def test_of_a_known_client_too(self, throttle: LoginThrottle) -> None:
        account, client = uuid4().hex, LoginClient(address())
        client = LoginClient(client.address, await throttle.succeed(account, client))
        known = [client, LoginClient(client.address), LoginClient(address(), client.device)]
        guesses = [[await guess(throttle, account, other) for _ in range(LIMIT + 5)] for other in known]
        # The device has one budget wherever it is, and the address another one.
        assert [sum(some) for some in guesses] == [LIMIT, LIMIT, 0]

    async def test_parallel_guesses_find_out_no_more(self, throttle: LoginThrottle) -> None:
        account = uuid4().hex
        clients = [LoginClient(address()) for _ in range(50)]
        await asyncio.gather(*(throttle.admit(account, client) for client in clients))  # all are being checked
        results = await asyncio.gather(*(throttle.fail(account, client) for client in clients), return_exceptions=True)
        assert results.count(None) == LIMIT
        with pytest.raises(TooManyRequestsError):  # the right guess among them is not told either
            await throttle.succeed(account, LoginClient(address()))

    async def test_a_login_that_is_refused_at_the_end_leaves_no_session(
        self,
        browser: Browser,
        people: People,
        throttle: LoginThrottle,
        resources: Resources,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        user = await people.user()
        await attack(throttle, user)
        monkeypatch.setattr(LoginThrottle, "admit", AsyncMock())  # it was admitted before the attack
        assert (await log_in(browser(), user.username)).status_code == 429
        assert await SessionService(resources).list(user.id) == []

    async def test_from_an_ipv6_network_as_from_one_address(
        self, browser: Browser, people: People, throttle: LoginThrottle
    ) -> None:
        user, network = await people.user(), ":".join(wrap(uuid4().hex[:16], 4))
        for number in range(100):
            await throttle.fail(uuid4().hex, ClientInfo("", f"{network}::{number}").login)
        assert (await log_in(browser(f"{network}::ffff"), user.username)).status_code == 429

    async def test_a_login_of_the_owner_gives_strangers_no_new_budget(self, throttle: LoginThrottle) -> None:
        account, owner = uuid4().hex, LoginClient(address())
        await throttle.succeed(account, owner)
        first = [await guess(throttle, account, LoginClient(address())) for _ in range(LIMIT)]
        await throttle.succeed(account, owner)
        assert (all(first), await guess(throttle, account, LoginClient(address()))) == (True, False)

    async def test_so_many_clients_are_remembered(self, throttle: LoginThrottle, resources: Resources) -> None:
        account = uuid4().hex
        for _ in range(MAXIMUM_CLIENTS):
            await throttle.succeed(account, LoginClient(address()))
        assert await resources.redis.zcard(f"auth:known:{{login}}:{account}") == MAXIMUM_CLIENTS


class TestRow26RightPasswordsAreNoFailures:
    async def test_200_at_once(self, throttle: LoginThrottle) -> None:
        account, client = uuid4().hex, LoginClient(address())
        await asyncio.gather(*(throttle.admit(account, client) for _ in range(200)))
        await asyncio.gather(*(throttle.succeed(account, client) for _ in range(200)))

    async def test_none_is_throttled_over_http(
        self, served_login: Callable[[], Awaitable[dict[str, str]]], served_client: httpx.AsyncClient
    ) -> None:
        bodies, headers = [await served_login() for _ in range(60)], {"X-Forwarded-For": address()}
        logins = [served_client.post("/api/v1/auth/login", json=body, headers=headers) for body in bodies]
        assert Counter(response.status_code for response in await asyncio.gather(*logins)) == {200: 60}


@pytest.mark.slow
class TestRow26Unlocking:
    async def test_an_administrator_lifts_the_locks_of_account_and_address(
        self, client: httpx.AsyncClient, browser: Browser, people: People, admin: Person, throttle: LoginThrottle
    ) -> None:
        user, at = await people.user(), address()
        await attack(throttle, user)
        for _ in range(100):
            await throttle.fail(uuid4().hex, LoginClient(at))
        assert (await log_in(browser(at), user.username)).status_code == 429
        response = await client.post(f"/api/v1/users/{user.id}/unlock", headers=admin.headers)
        assert (response.status_code, response.json()["data"]["username"]) == (200, user.username)
        assert (await log_in(browser(at), user.username)).status_code == 200

    async def test_the_own_budget_is_lifted_as_well(self, throttle: LoginThrottle) -> None:
        account, client = uuid4().hex, LoginClient(address())
        client = LoginClient(client.address, await throttle.succeed(account, client))
        for _ in range(LIMIT):
            await guess(throttle, account, client)
        assert await throttle.unlock(account)
        assert await guess(throttle, account, client)

    async def test_nobody_unlocks_a_stronger_user(
        self, client: httpx.AsyncClient, people: People, admin: Person
    ) -> None:
        helper = await people.create(UNLOCK)
        response = await client.post(f"/api/v1/users/{admin.user.id}/unlock", headers=helper.headers)
        assert (response.status_code, response.json()["error"]) == (403, "auth.not_yours_to_rule")

    async def test_wrong_old_passwords_count_for_the_session_alone(
        self, browser: Browser, people: People, throttle: LoginThrottle
    ) -> None:
        user = await people.user()
        await attack(throttle, user)
        person = await people.login(user)
        wrong = {"oldPassword": "AAAA", "newPassword": "AAAA", "kid": "x"}
        caller = browser(**person.headers)
        codes = [(await caller.put("/api/v1/auth/password", json=wrong)).status_code for _ in range(LIMIT + 1)]
        assert codes == [400] * LIMIT + [429]
        other = browser(**(await people.login(user)).headers)
        assert (await other.put("/api/v1/auth/password", json=wrong)).status_code == 400
