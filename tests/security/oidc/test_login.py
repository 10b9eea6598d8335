import time
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
from sqlmodel import select

from src.core.unit_of_work import UnitOfWork
from src.models.role import Role
from src.models.user import User, UserRole
from tests.security.oidc.conftest import (
    CALLBACK,
    EXCHANGE,
    HOST,
    INFO,
    OIDC,
    PAGE,
    START,
    Setup,
    error_of,
    fragment,
    link_to,
    log_in,
    to_callback,
    visit,
)
from tests.support.login import log_in as log_in_with_password
from tests.support.openid import OpenIDProvider
from tests.support.people import USER_AGENT, People


async def info(client: httpx.AsyncClient, response: httpx.Response) -> dict[str, object]:
    """Whom the tokens of a login belong to."""
    assert response.status_code == 200, response.text
    headers = {"Authorization": f"Bearer {response.json()['data']['accessToken']}"}
    found: dict[str, object] = (await client.get(INFO, headers=headers)).json()["data"]
    return found


async def roles(uow: UnitOfWork, *codes: str) -> None:
    uow.session.add_all([Role(name=code, code=code) for code in codes])
    await uow.session.commit()


class TestTheProviders:
    async def test_are_listed_for_the_login_page(self, client: httpx.AsyncClient) -> None:
        listed = (await client.get(OIDC)).json()["data"]
        assert listed == [{"name": "test", "displayName": "Test & Co"}, {"name": "other", "displayName": "other"}]

    @pytest.mark.parametrize("action", ["start", "callback"])
    async def test_another_one_is_404(self, client: httpx.AsyncClient, action: str) -> None:
        assert error_of(await client.get(f"{OIDC}/unknown/{action}")) == (404, "resource.not_found")


class TestTheStart:
    async def test_binds_the_login_to_the_browser(self, client: httpx.AsyncClient) -> None:
        cookie = (await client.get(START)).headers["Set-Cookie"]
        name, _, rest = cookie.partition("=")
        assert name == "__Host-oidc-test"
        assert rest.partition("; ")[2] == "HttpOnly; Max-Age=600; Path=/; SameSite=lax; Secure"

    async def test_asks_for_a_code_with_pkce_and_a_nonce(self, client: httpx.AsyncClient, setup: Setup) -> None:
        setup.change(sufficient_acr=["mfa"])
        url = httpx.URL((await client.get(START)).headers["Location"])
        asked = dict(url.params)
        assert {len(asked.pop(name)) for name in ("state", "nonce")} == {64}
        assert len(asked.pop("code_challenge")) == 43
        assert asked == {
            "response_type": "code",
            "client_id": "shop",
            "redirect_uri": f"{HOST}/api/v1/auth/oidc/test/callback",
            "scope": "openid email profile",
            "code_challenge_method": "S256",
            "acr_values": "mfa",
        }

    async def test_asks_for_something_else_each_time(self, client: httpx.AsyncClient) -> None:
        urls = [httpx.URL((await client.get(START)).headers["Location"]) for _ in range(2)]
        for name in ("state", "nonce", "code_challenge"):
            assert len({url.params[name] for url in urls}) == 2


class TestALinkedIdentity:
    async def test_logs_its_user_in(self, client: httpx.AsyncClient, linked: User) -> None:
        response = await log_in(client)
        assert (await info(client, response))["username"] == linked.username
        assert response.headers["X-Device-Token"]

    async def test_starts_a_session_that_can_be_refreshed(self, client: httpx.AsyncClient, linked: User) -> None:
        tokens = (await log_in(client)).json()["data"]
        headers = {"X-Refresh-Token": tokens["refreshToken"], "User-Agent": USER_AGENT}
        assert (await client.post("/api/v1/auth/token/refresh", headers=headers)).status_code == 200

    async def test_is_not_found_by_another_provider(
        self, client: httpx.AsyncClient, linked: User, provider: OpenIDProvider, other: OpenIDProvider
    ) -> None:
        other.claims["sub"] = provider.claims["sub"]
        assert error_of(await log_in(client, "other")) == (401, "auth.oidc_not_linked")

    async def test_of_a_disabled_user_is_refused(
        self, client: httpx.AsyncClient, uow: UnitOfWork, people: People, provider: OpenIDProvider
    ) -> None:
        await link_to(uow, await people.user(status=False), provider)
        assert error_of(await log_in(client)) == (401, "auth.unauthorized")

    async def test_is_asked_for_what_the_id_token_lacks(
        self, client: httpx.AsyncClient, linked: User, provider: OpenIDProvider, uow: UnitOfWork
    ) -> None:
        provider.user_info = {"email": "ada@example.com", "email_verified": True, "acr": "mfa"}
        await info(client, await log_in(client))
        assert "/userinfo" in provider.requests

    async def test_the_user_info_of_somebody_else_is_refused(
        self, client: httpx.AsyncClient, linked: User, provider: OpenIDProvider
    ) -> None:
        provider.user_info = {"sub": "somebody else"}
        assert error_of(await log_in(client)) == (401, "auth.oidc_failed")


class TestAnUnknownIdentity:
    @pytest.mark.parametrize("allow_sign_up", [True, False])
    async def test_takes_over_no_account_by_its_address(
        self, client: httpx.AsyncClient, people: People, provider: OpenIDProvider, setup: Setup, allow_sign_up: bool
    ) -> None:
        setup.change(allow_sign_up=allow_sign_up)
        user = await people.user()
        provider.claims |= {"email": user.email.upper(), "email_verified": True}
        assert error_of(await log_in(client)) == (401, "auth.oidc_not_linked")

    async def test_gets_no_account_unless_people_may_sign_up(
        self, client: httpx.AsyncClient, provider: OpenIDProvider
    ) -> None:
        provider.claims |= {"email": "new@example.com", "email_verified": True}
        assert error_of(await log_in(client)) == (401, "auth.oidc_not_linked")

    async def test_signs_up(
        self, client: httpx.AsyncClient, provider: OpenIDProvider, setup: Setup, uow: UnitOfWork
    ) -> None:
        setup.change(allow_sign_up=True)
        email = f"{provider.claims['sub']}@example.com"
        provider.claims |= {"email": email, "email_verified": True, "name": "Ada", "preferred_username": email[:12]}
        found = await info(client, await log_in(client))
        assert (found["username"], found["name"], found["email"]) == (email[:12], "Ada", email)
        assert (found["isAdmin"], found["roles"]) == (False, [])
        assert (await info(client, await log_in(client)))["id"] == found["id"]

    async def test_cannot_log_in_with_a_password(
        self, client: httpx.AsyncClient, provider: OpenIDProvider, setup: Setup
    ) -> None:
        setup.change(allow_sign_up=True)
        provider.claims["preferred_username"] = name = f"user{provider.claims['sub']}"
        await info(client, await log_in(client))
        for password in ("", "dummy password", " "):
            assert error_of(await log_in_with_password(client, name, password)) == (401, "auth.invalid_credentials")

    @pytest.mark.parametrize("verified", [False, None, "false", 1.5, [True]])
    async def test_gets_no_address_that_is_not_confirmed(
        self, client: httpx.AsyncClient, provider: OpenIDProvider, setup: Setup, uow: UnitOfWork, verified: object
    ) -> None:
        setup.change(allow_sign_up=True)
        provider.claims |= {"email": "somebody@example.com", "email_verified": verified}
        found = await info(client, await log_in(client))
        assert str(found["email"]).endswith("@no-email.invalid")
        user = (await uow.session.exec(select(User).where(User.email == found["email"]))).one()
        assert (user.email_pending, user.email_verified_at) == (True, None)

    async def test_gets_no_address_of_the_id_token_that_the_user_info_has_not_confirmed(
        self, client: httpx.AsyncClient, provider: OpenIDProvider, setup: Setup
    ) -> None:
        setup.change(allow_sign_up=True, role_claim="groups")  # which the user info is asked for
        provider.claims["email"] = "somebody@example.com"
        provider.user_info = {"email": "other@example.com", "email_verified": True}
        found = await info(client, await log_in(client))
        assert str(found["email"]).endswith("@no-email.invalid")

    @pytest.mark.parametrize(
        "wanted",
        ["ADA", "ada lovelace", "\u0430dmin", "a" * 65, "\u202eada", 7, ""],
        ids=ascii,
    )
    async def test_gets_a_username_that_registration_would_take(
        self, client: httpx.AsyncClient, provider: OpenIDProvider, setup: Setup, people: People, wanted: object
    ) -> None:
        setup.change(allow_sign_up=True)
        await people.user(username="ada")
        provider.claims |= {"preferred_username": wanted, "name": "\0" if wanted == "ADA" else "x" * 65}
        found = await info(client, await log_in(client))
        assert str(found["username"]) not in (wanted, "ada")
        assert found["name"] == found["username"]


class TestTheMappingOfRoles:
    async def test_gives_and_takes_the_roles_that_it_names(
        self, client: httpx.AsyncClient, provider: OpenIDProvider, setup: Setup, uow: UnitOfWork, linked: User
    ) -> None:
        setup.change(role_claim="realm.groups", roles={"staff": ["editor", "absent"], "boss": ["chief"]})
        await roles(uow, "editor", "chief", "own")
        own = (await uow.session.exec(select(Role).where(Role.code == "own"))).one()
        uow.session.add(UserRole(user_id=linked.id, role_id=own.id))
        await uow.session.commit()
        for groups, expected in (
            (["staff", "unmapped", 7], ["editor", "own"]),
            (["boss"], ["chief", "own"]),
            ("staff", ["editor", "own"]),
            (None, ["own"]),
        ):
            provider.claims["realm"] = {"groups": groups}
            found = await info(client, await log_in(client))
            assert (found["roles"], found["isAdmin"]) == (expected, False)

    async def test_takes_effect_in_sessions_that_are_open(
        self, client: httpx.AsyncClient, provider: OpenIDProvider, setup: Setup, uow: UnitOfWork, linked: User
    ) -> None:
        setup.change(role_claim="https://shop.example/groups", roles={"staff": ["reader"]})
        uow.session.add(Role(name="Reader", code="reader", interface_permissions=["GET:/api/v1/notices"]))
        await uow.session.commit()
        provider.claims["https://shop.example/groups"] = ["staff"]
        tokens = (await log_in(client)).json()["data"]
        headers = {"Authorization": f"Bearer {tokens['accessToken']}"}
        assert (await client.get("/api/v1/notices", headers=headers)).status_code == 200
        provider.claims["https://shop.example/groups"] = []
        await log_in(client)
        assert (await client.get("/api/v1/notices", headers=headers)).status_code == 403

    async def test_is_asked_of_the_user_info(
        self, client: httpx.AsyncClient, provider: OpenIDProvider, setup: Setup, uow: UnitOfWork, linked: User
    ) -> None:
        setup.change(role_claim="groups", roles={"staff": ["editor"]}, scopes=["openid"])
        await roles(uow, "editor")
        provider.user_info = {"groups": ["staff"]}
        assert (await info(client, await log_in(client)))["roles"] == ["editor"]


class TestALoginAtTheProvider:
    @pytest.mark.parametrize("ahead", [-3600, 3600])
    async def test_is_as_recent_as_the_provider_says(
        self, client: httpx.AsyncClient, provider: OpenIDProvider, linked: User, ahead: int
    ) -> None:
        before = int(time.time())
        provider.claims["auth_time"] = before + ahead
        tokens = (await log_in(client)).json()["data"]
        headers = {"X-Refresh-Token": tokens["refreshToken"], "User-Agent": USER_AGENT}
        again = (await client.post("/api/v1/auth/token/refresh", headers=headers)).json()["data"]
        earliest, latest = (before + ahead,) * 2 if ahead < 0 else (before, int(time.time()))
        for each in (tokens, again):
            claims = jwt.decode(each["accessToken"], options={"verify_signature": False})
            assert earliest <= claims["auth_time"] <= latest

    async def test_is_done_again_if_the_frontend_wants_it(self, client: httpx.AsyncClient) -> None:
        for query, expected in (("", []), ("?fresh=true", ["login"])):
            url = (await client.get(f"{START}{query}")).headers["Location"]
            assert parse_qs(urlsplit(url).query).get("prompt", []) == expected


class TestTwoTabs:
    async def test_the_login_that_was_started_last_counts(self, client: httpx.AsyncClient, linked: User) -> None:
        first = (await client.get(START)).headers["Location"]
        second = await to_callback(client)
        assert error_of(await client.get(await visit(first))) == (400, "auth.oidc_state")
        assert (await client.get(second)).status_code == 200


class TestAnAddress:
    @pytest.mark.parametrize("path", [START, CALLBACK])
    async def test_may_log_in_so_often(self, client: httpx.AsyncClient, setup: Setup, path: str) -> None:
        setup.settings.app = setup.settings.app.model_copy(update={"rate_limit_factor": 0.001})
        responses = [await client.get(path) for _ in range(2)]
        assert responses[0].status_code in (302, 400)
        assert error_of(responses[1]) == (429, "request.rate_limited")


class TestAPage:
    async def test_gets_its_refresh_token_in_a_cookie_if_it_asks_for_that(
        self, client: httpx.AsyncClient, setup: Setup, linked: User
    ) -> None:
        setup.configure(frontend_url=PAGE)
        setup.settings.auth = setup.settings.auth.model_copy(update={"refresh_cookie_enabled": True})
        code = fragment(await log_in(client))["code"]
        response = await client.post(EXCHANGE, json={"code": code}, headers={"X-Refresh-Token": "cookie"})
        assert response.json()["data"]["refreshToken"] == ""
        assert "HttpOnly" in response.headers["Set-Cookie"]
