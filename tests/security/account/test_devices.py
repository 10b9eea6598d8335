"""Devices that a user has logged in with."""

from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from src.core.effects import TaskCall
from src.core.resources import Resources
from src.core.security.throttle import LoginClient
from src.main import app, rest
from src.models.user import User
from tests.support.login import encrypted
from tests.support.people import People, Person

DEVICES = "/api/v1/auth/devices"
SESSIONS = "/api/v1/auth/sessions"
INFO = "/api/v1/auth/user/info"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 "
    "Mobile/15E148 Safari/604.1"
)


class Login:
    """A login of a user with a browser."""

    def __init__(self, response: httpx.Response, user_agent: str) -> None:
        data = response.json()["data"]
        self.device = {"X-Device-Token": response.headers["x-device-token"]}
        self.headers = {"Authorization": f"Bearer {data['accessToken']}", "User-Agent": user_agent}


async def log_in(client: httpx.AsyncClient, user: User, user_agent: str, **headers: str) -> Login:
    body = {"username": user.username, **await encrypted(client)}
    headers = {**headers, "User-Agent": user_agent}
    return Login(await client.post("/api/v1/auth/login", json=body, headers=headers), user_agent)


async def listed(client: httpx.AsyncClient, login: Login, path: str = DEVICES) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = (await client.get(path, headers=login.headers)).json()["data"]
    return rows


@pytest.fixture
async def user(client: httpx.AsyncClient, people: People) -> User:
    return await people.user()


async def test_of_a_deleted_user_are_nobodys(
    client: httpx.AsyncClient, people: People, admin: Person, resources: Resources
) -> None:
    user = await people.user()
    await resources.throttle.succeed(user.username_key, LoginClient("an address"), "a device")
    assert (await client.delete(f"/api/v1/users/{user.id}", headers=admin.headers)).status_code == 200
    assert await resources.throttle.devices(user.username_key) == {}
    assert not await resources.throttle.is_new_client(user.username_key, LoginClient("another"))  # nobody is known


@pytest.fixture
async def firefox(client: httpx.AsyncClient, user: User) -> Login:
    return await log_in(client, user, FIREFOX)


class TestList:
    async def test_a_device_has_a_name_and_a_place(self, client: httpx.AsyncClient, firefox: Login) -> None:
        (device,) = await listed(client, firefox)
        assert (device["name"], device["userAgent"], device["sessions"], device["current"]) == (
            "Firefox on Linux",
            FIREFOX,
            1,
            True,
        )
        assert device["address"].startswith("test-")
        assert device["lastLoginAt"] < device["rememberedUntil"]

    async def test_one_that_logs_in_again_is_the_same(
        self, client: httpx.AsyncClient, user: User, firefox: Login
    ) -> None:
        again = await log_in(client, user, FIREFOX, **firefox.device)
        assert [device["sessions"] for device in await listed(client, again)] == [2]

    async def test_one_that_is_logged_out_is_remembered(
        self, client: httpx.AsyncClient, user: User, firefox: Login
    ) -> None:
        await client.post("/api/v1/auth/logout/all", headers=firefox.headers)
        devices = await listed(client, await log_in(client, user, SAFARI))
        assert {device["name"]: (device["sessions"], device["current"]) for device in devices} == {
            "Firefox on Linux": (0, False),
            "Safari on iPhone": (1, True),
        }

    async def test_a_session_names_its_device(self, client: httpx.AsyncClient, firefox: Login) -> None:
        (device,), (session,) = await listed(client, firefox), await listed(client, firefox, SESSIONS)
        assert (session["deviceId"], session["deviceName"]) == (device["id"], device["name"])
        assert session["lastUsedAt"] == session["createdAt"]

    async def test_those_who_manage_users_see_the_same_of_their_sessions(
        self, client: httpx.AsyncClient, user: User, firefox: Login, admin: Person
    ) -> None:
        response = await client.get(f"/api/v1/users/{user.id}/sessions", headers=admin.headers)
        own = await listed(client, firefox, SESSIONS)
        assert [{**row, "current": True} for row in response.json()["data"]] == own

    async def test_others_do_not_see_it(self, client: httpx.AsyncClient, people: People, firefox: Login) -> None:
        (mine,) = await listed(client, firefox)
        others = await listed(client, await log_in(client, await people.user(), FIREFOX))
        assert [device["id"] == mine["id"] for device in others] == [False]

    async def test_it_shows_no_token(self, client: httpx.AsyncClient, firefox: Login) -> None:
        assert firefox.device["X-Device-Token"] not in str(await listed(client, firefox))


class TestForget:
    async def test_it_ends_the_sessions_of_the_device(
        self, client: httpx.AsyncClient, user: User, firefox: Login
    ) -> None:
        safari = await log_in(client, user, SAFARI)
        (mine,) = [device for device in await listed(client, safari) if not device["current"]]
        response = await client.delete(f"{DEVICES}/{mine['id']}", headers=safari.headers)
        alive = [(await client.get(INFO, headers=each.headers)).status_code for each in (firefox, safari)]
        assert (response.status_code, alive) == (200, [401, 200])
        assert [device["name"] for device in await listed(client, safari)] == ["Safari on iPhone"]

    async def test_its_next_login_is_that_of_a_new_device(
        self, client: httpx.AsyncClient, user: User, firefox: Login, sent: list[TaskCall]
    ) -> None:
        safari = await log_in(client, user, SAFARI)
        (mine,) = [device for device in await listed(client, safari) if not device["current"]]
        await client.delete(f"{DEVICES}/{mine['id']}", headers=safari.headers)
        again = await log_in(client, user, FIREFOX, **firefox.device)
        assert again.device != firefox.device

    async def test_that_of_another_user_is_404(self, client: httpx.AsyncClient, people: People, firefox: Login) -> None:
        (device,) = await listed(client, firefox)
        other = await log_in(client, await people.user(), SAFARI)
        response = await client.delete(f"{DEVICES}/{device['id']}", headers=other.headers)
        assert (response.status_code, len(await listed(client, firefox))) == (404, 1)

    @pytest.mark.parametrize("name", ["x", "0" * 63, "0" * 65, "address:test", "%2A"])
    async def test_what_is_no_id_is_refused(self, client: httpx.AsyncClient, firefox: Login, name: str) -> None:
        assert (await client.delete(f"{DEVICES}/{name}", headers=firefox.headers)).status_code == 422

    async def test_without_a_login_it_is_401(self, client: httpx.AsyncClient) -> None:
        statuses = [(await client.get(DEVICES)).status_code, (await client.delete(f"{DEVICES}/{'0' * 64}")).status_code]
        assert statuses == [401, 401]


class TestAbsence:
    @pytest.mark.usefixtures("uow")
    async def test_without_the_setting_the_routes_do_not_exist(self, person: Person) -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            assert (await client.get(DEVICES, headers=person.headers)).status_code == 404

    def test_the_application_with_it_has_two_routes_more(self, account_app: FastAPI) -> None:
        codes = [{route.code for route in each.state.registry.routes} for each in (account_app, rest)]
        assert {code for code in codes[0] - codes[1] if "devices" in code} == {
            f"GET:{DEVICES}",
            f"DELETE:{DEVICES}/{{deviceId}}",
        }
