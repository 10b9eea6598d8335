"""The refresh token in a cookie: which scripts cannot read, and no foreign page can use."""

import random
from collections.abc import AsyncIterator
from http.cookies import SimpleCookie
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from starlette.requests import HTTPConnection

from src.core.config.app import CorsSettings, Environment
from src.core.config.auth import AuthSettings
from src.core.config.base import ConfigurationError
from src.core.config.settings import Settings
from src.core.exceptions import PermissionDeniedError, ServiceUnavailableError
from src.core.resources import Resources
from src.core.security.token import TokenIssuer
from src.core.unit_of_work import UnitOfWork
from src.crud.session import SessionCRUD
from src.deps.token_delivery import find_refresh_token
from src.main import app
from src.services.session import SessionService
from tests.security.conftest import Clock
from tests.support.login import log_in
from tests.support.outbox import audit_entries
from tests.support.people import USER_AGENT, People, Person

REFRESH = "/api/v1/auth/token/refresh"
LOGOUT = "/api/v1/auth/logout"
INFO = "/api/v1/auth/user/info"
COOKIE = "refresh_token"
IN_COOKIE = {"X-Refresh-Token": "cookie"}
SHOP = "https://shop.example"
FOREIGN = [
    "https://evil.example",
    "https://shop.example.evil.example",
    "https://test.evil.example",
    "null",
    "",
    "https://[",
]


@pytest.fixture
def cookies(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting is on, and pages of a shop may use the API."""
    settings = resources.settings
    monkeypatch.setattr(settings, "auth", settings.auth.model_copy(update={"refresh_cookie_enabled": True}))
    monkeypatch.setattr(settings, "cors", settings.cors.model_copy(update={"origins": [SHOP]}))


@pytest.fixture
async def browser(client: httpx.AsyncClient) -> AsyncIterator[httpx.AsyncClient]:
    """A client that asks for the cookie; `client` brings the transaction that the application shares."""
    headers = {"User-Agent": USER_AGENT, **IN_COOKIE}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="https://test", headers=headers
    ) as browser:
        yield browser


@pytest.fixture
async def login(browser: httpx.AsyncClient, people: People, cookies: None) -> httpx.Response:
    """The response to a login that asks for the cookie."""
    return await log_in(browser, (await people.user()).username)


def cookie_of(response: httpx.Response) -> Any:
    """The cookie that a response sets, with its attributes."""
    return SimpleCookie(response.headers["set-cookie"])[COOKIE]


def is_deleted(response: httpx.Response) -> bool:
    cookie = cookie_of(response)
    return (cookie.value, cookie["max-age"], cookie["path"], cookie["secure"]) == ("", "0", "/", True)


def access(login: httpx.Response) -> dict[str, str]:
    return {"Authorization": f"Bearer {login.json()['data']['accessToken']}"}


async def is_alive(client: httpx.AsyncClient, response: httpx.Response) -> bool:
    return (await client.get(INFO, headers=access(response))).status_code == 200


class TestLogin:
    async def test_the_refresh_token_is_in_the_cookie_alone(self, login: httpx.Response) -> None:
        assert (login.json()["data"]["refreshToken"], cookie_of(login).value in login.text) == ("", False)

    async def test_scripts_and_other_sites_and_plain_http_do_not_get_it(self, login: httpx.Response) -> None:
        cookie = cookie_of(login)
        assert (cookie["httponly"], cookie["secure"], cookie["samesite"], cookie["path"], cookie["domain"]) == (
            True,
            True,
            "strict",
            "/",
            "",
        )

    async def test_it_lives_as_long_as_the_token(self, login: httpx.Response) -> None:
        assert int(cookie_of(login)["max-age"]) == login.json()["data"]["refreshExpiresIn"]

    async def test_the_device_token_is_still_a_header(self, login: httpx.Response) -> None:
        assert login.headers["x-device-token"]

    async def test_clients_that_do_not_ask_get_it_in_the_body(
        self, client: httpx.AsyncClient, people: People, cookies: None
    ) -> None:
        response = await log_in(client, (await people.user()).username)
        assert response.json()["data"]["refreshToken"]
        assert "set-cookie" not in response.headers

    async def test_without_the_setting_it_is_in_the_body(self, browser: httpx.AsyncClient, people: People) -> None:
        response = await log_in(browser, (await people.user()).username)
        assert response.json()["data"]["refreshToken"]
        assert "set-cookie" not in response.headers

    async def test_a_foreign_page_cannot_log_its_visitor_in(
        self, browser: httpx.AsyncClient, people: People, cookies: None
    ) -> None:
        browser.headers["Origin"] = FOREIGN[0]
        response = await log_in(browser, (await people.user()).username)
        assert (response.status_code, response.json()["error"]) == (403, "auth.foreign_origin")
        assert "set-cookie" not in response.headers

    async def test_deployed_the_name_keeps_other_hosts_from_setting_it(
        self, browser: httpx.AsyncClient, people: People, cookies: None, deployed: None
    ) -> None:
        response = await log_in(browser, (await people.user()).username)
        assert response.headers["set-cookie"].startswith("__Host-refresh_token=")
        assert (await browser.post(REFRESH)).status_code == 200


@pytest.fixture
def deployed(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    staging = resources.settings.app.model_copy(update={"environment": Environment.STAGING})
    monkeypatch.setattr(resources.settings, "app", staging)


class TestRefresh:
    async def test_the_cookie_is_exchanged_for_the_next(
        self, browser: httpx.AsyncClient, login: httpx.Response
    ) -> None:
        response = await browser.post(REFRESH)
        assert cookie_of(response).value != cookie_of(login).value
        assert (response.json()["data"]["refreshToken"], await is_alive(browser, response)) == ("", True)

    async def test_it_goes_on_with_each_successor(self, browser: httpx.AsyncClient, login: httpx.Response) -> None:
        assert [(await browser.post(REFRESH)).status_code for _ in range(5)] == [200] * 5

    async def test_two_tabs_at_once_get_the_same_cookie(
        self, browser: httpx.AsyncClient, login: httpx.Response
    ) -> None:
        sent = {"Cookie": f"{COOKIE}={cookie_of(login).value}"}
        responses = [await browser.post(REFRESH, headers=sent) for _ in range(2)]
        assert len({cookie_of(response).value for response in responses}) == 1

    async def test_a_page_of_the_shop_may_use_it(self, browser: httpx.AsyncClient, login: httpx.Response) -> None:
        assert (await browser.post(REFRESH, headers={"Origin": SHOP})).status_code == 200

    @pytest.mark.parametrize("origin", ["https://test", "http://test"])
    async def test_a_page_of_the_host_itself_may_use_it(
        self, browser: httpx.AsyncClient, login: httpx.Response, origin: str
    ) -> None:
        assert (await browser.post(REFRESH, headers={"Origin": origin})).status_code == 200

    @pytest.mark.parametrize("origin", FOREIGN)
    async def test_a_foreign_page_cannot_use_it(
        self, browser: httpx.AsyncClient, login: httpx.Response, origin: str
    ) -> None:
        response = await browser.post(REFRESH, headers={"Origin": origin})
        assert (response.status_code, response.json()["error"]) == (403, "auth.foreign_origin")

    @pytest.mark.usefixtures("cookies")
    async def test_a_foreign_page_cannot_use_it_on_a_route_of_ones_own(self, resources: Resources) -> None:
        """One that takes `UserRefreshDep`, and hands out no tokens."""
        headers = [(b"host", b"test"), (b"origin", FOREIGN[0].encode()), (b"cookie", b"refresh_token=x")]
        connection = HTTPConnection({"type": "http", "headers": headers})
        with pytest.raises(PermissionDeniedError):
            await anext(find_refresh_token(connection, resources, "cookie"))

    async def test_without_the_header_the_cookie_is_not_read(
        self, browser: httpx.AsyncClient, login: httpx.Response
    ) -> None:
        del browser.headers["X-Refresh-Token"]
        assert (await browser.post(REFRESH)).status_code == 401

    async def test_a_token_in_the_header_is_answered_in_the_body(
        self, client: httpx.AsyncClient, person: Person, cookies: None
    ) -> None:
        headers = {"X-Refresh-Token": person.tokens.refresh_token, "User-Agent": USER_AGENT}
        response = await client.post(REFRESH, headers=headers)
        assert response.json()["data"]["refreshToken"]
        assert "set-cookie" not in response.headers

    async def test_without_the_setting_the_cookie_is_not_read(
        self, browser: httpx.AsyncClient, login: httpx.Response, resources: Resources, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        auth = resources.settings.auth.model_copy(update={"refresh_cookie_enabled": False})
        monkeypatch.setattr(resources.settings, "auth", auth)
        assert (await browser.post(REFRESH)).status_code == 401


class TestADeadCookie:
    """Browsers send a cookie until it expires: a 401 deletes it."""

    @pytest.mark.parametrize("path", [REFRESH, LOGOUT])
    async def test_of_a_session_that_has_ended_is_deleted(
        self, browser: httpx.AsyncClient, login: httpx.Response, resources: Resources, path: str
    ) -> None:
        claims = resources.tokens.read_refresh(cookie_of(login).value)
        await SessionService(resources).end_all(claims.user_id)
        response = await browser.post(path)
        assert (response.status_code, is_deleted(response)) == (401, True)
        assert COOKIE not in browser.cookies

    async def test_that_was_made_up_is_deleted(self, browser: httpx.AsyncClient, cookies: None) -> None:
        response = await browser.post(REFRESH, headers={"Cookie": f"{COOKIE}=x"})
        assert (response.status_code, is_deleted(response)) == (401, True)

    async def test_of_a_disabled_user_is_deleted(
        self, browser: httpx.AsyncClient, people: People, cookies: None, uow: UnitOfWork
    ) -> None:
        user = await people.user()
        await log_in(browser, user.username)
        user.status = False
        uow.session.add(user)
        await uow.session.commit()
        response = await browser.post(REFRESH)
        assert (response.status_code, is_deleted(response)) == (401, True)

    async def test_that_a_foreign_page_has_sent_stays(self, browser: httpx.AsyncClient, login: httpx.Response) -> None:
        for path in (REFRESH, LOGOUT):
            response = await browser.post(path, headers={"Origin": FOREIGN[0]})
            assert (response.status_code, "set-cookie" in response.headers) == (403, False)
        assert (await browser.post(REFRESH)).status_code == 200

    async def test_stays_while_redis_is_down(
        self, browser: httpx.AsyncClient, login: httpx.Response, resources: Resources, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def fail(*_: object, **__: object) -> None:
            raise ServiceUnavailableError(store="redis")

        with monkeypatch.context() as outage:
            outage.setattr(SessionCRUD, "rotate", fail)
            response = await browser.post(REFRESH)
        assert (response.status_code, "set-cookie" in response.headers) == (503, False)
        assert (await browser.post(REFRESH)).status_code == 200


class TestLogout:
    @pytest.mark.parametrize("path", [LOGOUT, f"{LOGOUT}/all"])
    async def test_it_deletes_the_cookie(self, browser: httpx.AsyncClient, login: httpx.Response, path: str) -> None:
        del browser.headers["X-Refresh-Token"]
        assert is_deleted(await browser.post(path, headers=access(login)))

    async def test_a_cookie_that_was_kept_is_worthless(self, browser: httpx.AsyncClient, login: httpx.Response) -> None:
        await browser.post(LOGOUT, headers=access(login))
        kept = {"Cookie": f"{COOKIE}={cookie_of(login).value}"}
        assert (await browser.post(REFRESH, headers=kept)).status_code == 401

    async def test_without_a_cookie_it_sets_none(
        self, client: httpx.AsyncClient, person: Person, cookies: None
    ) -> None:
        response = await client.post(LOGOUT, headers=person.headers)
        assert "set-cookie" not in response.headers

    @pytest.mark.parametrize("token", [None, "Bearer expired"])
    async def test_the_cookie_is_enough(
        self, browser: httpx.AsyncClient, login: httpx.Response, token: str | None
    ) -> None:
        response = await browser.post(LOGOUT, headers={"Authorization": token} if token else {})
        assert (response.status_code, is_deleted(response)) == (200, True)
        assert not await is_alive(browser, login)

    async def test_a_refresh_token_in_the_header_is_enough(self, client: httpx.AsyncClient, person: Person) -> None:
        headers = {"X-Refresh-Token": person.tokens.refresh_token, "User-Agent": USER_AGENT}
        assert (await client.post(LOGOUT, headers=headers)).status_code == 200
        assert (await client.get(INFO, headers=person.headers)).status_code == 401

    async def test_it_ends_the_session_of_the_cookie_alone(
        self, browser: httpx.AsyncClient, people: People, cookies: None
    ) -> None:
        user = await people.user()
        first, second = await log_in(browser, user.username), await log_in(browser, user.username)
        await browser.post(LOGOUT)
        assert [await is_alive(browser, each) for each in (first, second)] == [True, False]

    async def test_without_the_header_the_cookie_is_not_read(
        self, browser: httpx.AsyncClient, login: httpx.Response
    ) -> None:
        del browser.headers["X-Refresh-Token"]
        assert (await browser.post(LOGOUT)).status_code == 401
        assert await is_alive(browser, login)

    async def test_without_the_setting_it_ends_the_session_of_the_access_token(
        self, client: httpx.AsyncClient, person: Person
    ) -> None:
        response = await client.post(LOGOUT, headers=person.headers | IN_COOKIE)
        assert response.status_code == 200
        assert (await client.get(INFO, headers=person.headers)).status_code == 401

    async def test_by_another_program_it_is_refused(self, browser: httpx.AsyncClient, login: httpx.Response) -> None:
        """A token that was stolen ends no session: it is worth nothing elsewhere."""
        assert (await browser.post(LOGOUT, headers={"User-Agent": "thief"})).status_code == 401
        assert await is_alive(browser, login)

    async def test_is_in_the_audit_log(
        self, browser: httpx.AsyncClient, login: httpx.Response, resources: Resources, uow: UnitOfWork
    ) -> None:
        await browser.post(LOGOUT)
        (entry,) = await audit_entries(uow, f"POST:{LOGOUT}")
        owner = resources.tokens.read_refresh(cookie_of(login).value).user_id
        assert (entry["actor_id"], entry["result"]) == (str(owner), "success")


class TestPreflight:
    """A page of another origin can only send `X-Refresh-Token` if a preflight allows it."""

    async def test_that_of_a_foreign_page_is_refused(self, client: httpx.AsyncClient) -> None:
        headers = {
            "Origin": FOREIGN[0],
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "x-refresh-token",
        }
        response = await client.options(REFRESH, headers=headers)
        assert "access-control-allow-origin" not in response.headers


class TestSettings:
    @pytest.mark.parametrize(
        "changes", [{"CORS_ORIGINS": "*"}, {"CORS_ORIGINS_REGEX": "https://.*"}, {"CORS_ORIGINS": "null"}]
    )
    def test_any_origin_is_refused_at_start(self, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str]) -> None:
        for name, value in {"REFRESH_COOKIE_ENABLED": "true", **changes}.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(ConfigurationError, match="CORS_ORIGINS"):
            Settings.load()

    def test_listed_origins_are_allowed(self) -> None:
        cors = CorsSettings(CORS_ORIGINS=[SHOP], CORS_ORIGINS_REGEX=r"https://\w+\.shop\.example")
        assert [cors.allows(origin) for origin in (SHOP, "https://a.shop.example", *FOREIGN)] == [True, True] + [
            False
        ] * len(FOREIGN)

    def test_it_is_off_by_default(self) -> None:
        assert not AuthSettings().refresh_cookie_enabled


@pytest.mark.slow
class TestWrongCombinations:
    """Forged, foreign, replayed and misplaced cookies: none is accepted, and none ends the session of the owner."""

    NUMBER = 500

    @pytest.mark.parametrize("path", [REFRESH, LOGOUT])
    async def test_none_is_accepted(
        self,
        browser: httpx.AsyncClient,
        login: httpx.Response,
        people: People,
        clock: Clock,
        resources: Resources,
        path: str,
    ) -> None:
        rng = random.Random(22)  # noqa: S311 - it is to be the same in every run
        mine = browser.cookies[COOKIE]
        used = await self.used_tokens(browser, people, clock)
        strange = TokenIssuer(resources.settings.auth.model_copy(update={"refresh_token_key": SecretStr("x" * 48)}))
        forged = strange.refresh(resources.tokens.read_refresh(mine))
        wrong_tokens = [forged, login.json()["data"]["accessToken"], login.headers["x-device-token"], "cookie"]
        if path == REFRESH:  # either ends the session of a token that was exchanged
            wrong_tokens += used
        browser.cookies.clear()
        accepted = []
        for _ in range(self.NUMBER):
            kind = rng.choice(["token", "mutated", "origin", "header", "agent"])
            sent = {"Cookie": f"{COOKIE}={mine}", **IN_COOKIE}
            if kind == "token":
                sent["Cookie"] = f"{rng.choice([COOKIE, '__Host-refresh_token'])}={rng.choice(wrong_tokens)}"
            elif kind == "mutated":
                sent["Cookie"] = f"{COOKIE}={mutated(mine, rng)}"
            elif kind == "origin":
                sent["Origin"] = rng.choice([*FOREIGN, f"https://{rng.getrandbits(64):x}.example"])
            elif kind == "header":
                sent["X-Refresh-Token"] = rng.choice(["", "Cookie", "COOKIE", "cookies", "true", "1", "cookie,cookie"])
            else:
                sent["User-Agent"] = f"{rng.getrandbits(64):x}"
            response = await browser.post(path, headers=sent)
            sets_cookie = "set-cookie" in response.headers and not is_deleted(response)
            if response.status_code not in (401, 403) or sets_cookie:
                accepted.append((kind, sent, response.status_code))
        assert accepted == []
        assert (await browser.post(path, headers={"Cookie": f"{COOKIE}={mine}"})).status_code == 200

    async def used_tokens(self, browser: httpx.AsyncClient, people: People, clock: Clock) -> list[str]:
        """Refresh tokens that were exchanged, longer ago than the grace period."""
        used = [(await people.create()).tokens.refresh_token for _ in range(5)]
        for token in used:
            await browser.post(REFRESH, headers={"Cookie": f"{COOKIE}={token}"})
        clock.advance(12)
        return used


def mutated(token: str, rng: random.Random) -> str:
    """The token with one other character, one less, or its parts in another order."""
    place = rng.randrange(len(token))
    other = rng.choice([character for character in "Aa0_-." if character != token[place]])
    parts = token.split(".")
    return rng.choice(
        [token[:place] + other + token[place + 1 :], token[:place] + token[place + 1 :], ".".join(reversed(parts))]
    )
