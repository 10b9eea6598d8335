"""A provider is one factor: whoever has a second one here is asked for it, unless the provider's is sufficient."""

from typing import Any

import httpx
import pyotp
import pytest

from src.core.resources import Resources
from src.core.unit_of_work import UnitOfWork
from src.models.role import Role
from tests.security.conftest import Clock
from tests.security.factors.conftest import FACTORS, begin, confirm, fail_as_strangers
from tests.security.factors.conftest import LOGIN as SECOND_STEP
from tests.security.oidc.conftest import (
    EXCHANGE,
    IDENTITIES,
    INFO,
    LINK,
    LOGOUT,
    PAGE,
    Setup,
    error_of,
    fragment,
    link_to,
)
from tests.security.oidc.conftest import log_in as log_in_there
from tests.support.authenticator import Authenticator
from tests.support.openid import OpenIDProvider, key, signed
from tests.support.people import People, Person

REQUIRED = (401, "auth.factor_required")


@pytest.fixture
async def person(people: People, uow: UnitOfWork, provider: OpenIDProvider) -> Person:
    """A user who logs in with the provider alone."""
    person = await people.create(password_hash="")
    await link_to(uow, person.user, provider)
    return person


@pytest.fixture
async def secret(client: httpx.AsyncClient, person: Person, clock: Clock) -> str:
    """That of their authenticator app, whose last code was used."""
    enrolment = await begin(client, person)
    code = pyotp.TOTP(enrolment["secret"]).at(int(clock()))
    assert (await confirm(client, person, enrolment["id"], code=code)).status_code == 200
    return str(enrolment["secret"])


async def prove(client: httpx.AsyncClient, response: httpx.Response, secret: str, clock: Clock) -> httpx.Response:
    """The second step of a login."""
    assert error_of(response) == REQUIRED
    clock.advance(30)
    body = {"ticket": response.json()["data"]["ticket"], "code": pyotp.TOTP(secret).at(int(clock()))}
    return await client.post(SECOND_STEP, json=body)


@pytest.mark.slow
class TestStrangersWhoGuessThePassword:
    async def test_keep_nobody_from_logging_in(
        self, client: httpx.AsyncClient, person: Person, resources: Resources
    ) -> None:
        await fail_as_strangers(resources.throttle, person.user.username_key)
        assert (await log_in_there(client)).status_code == 200

    async def test_not_with_a_second_factor_either(
        self, client: httpx.AsyncClient, person: Person, secret: str, clock: Clock, resources: Resources
    ) -> None:
        await fail_as_strangers(resources.throttle, person.user.username_key)
        assert (await prove(client, await log_in_there(client), secret, clock)).status_code == 200


class TestASecondFactor:
    async def test_is_asked_for_after_the_provider(
        self, client: httpx.AsyncClient, person: Person, secret: str, clock: Clock
    ) -> None:
        tokens = (await prove(client, await log_in_there(client), secret, clock)).json()["data"]
        headers = {"Authorization": f"Bearer {tokens['accessToken']}"}
        assert (await client.get(INFO, headers=headers)).json()["data"]["username"] == person.user.username

    async def test_is_asked_for_by_the_frontend(
        self, client: httpx.AsyncClient, secret: str, clock: Clock, setup: Setup
    ) -> None:
        setup.configure(frontend_url=PAGE)
        response = await client.post(EXCHANGE, json={"code": fragment(await log_in_there(client))["code"]})
        assert (await prove(client, response, secret, clock)).status_code == 200

    @pytest.mark.usefixtures("secret")
    @pytest.mark.parametrize(
        ("claims", "is_enough"),
        [
            ({"amr": ["pwd", "mfa"]}, True),
            ({"acr": "gold"}, True),
            ({"amr": ["pwd"], "acr": "silver"}, False),
            ({"amr": "mfa"}, None),
            ({"acr": ["gold"]}, False),
        ],
        ids=str,
    )
    async def test_is_not_asked_for_if_the_providers_is_sufficient(
        self,
        client: httpx.AsyncClient,
        provider: OpenIDProvider,
        setup: Setup,
        claims: dict[str, Any],
        is_enough: bool | None,
    ) -> None:
        setup.change(sufficient_amr=["mfa"], sufficient_acr=["gold"])
        provider.claims |= claims
        response = await log_in_there(client)
        if is_enough is None:  # no list, as it has to be
            assert error_of(response) == (401, "auth.oidc_failed")
        else:
            assert response.status_code == (200 if is_enough else 401)

    @pytest.mark.usefixtures("secret")
    async def test_the_user_info_does_not_say_how_they_logged_in(
        self, client: httpx.AsyncClient, provider: OpenIDProvider, setup: Setup
    ) -> None:
        setup.change(sufficient_amr=["mfa"])
        provider.user_info = {"amr": ["mfa"]}
        assert error_of(await log_in_there(client)) == REQUIRED

    async def test_roles_are_taken_away_before_it_is_proved(
        self,
        client: httpx.AsyncClient,
        provider: OpenIDProvider,
        setup: Setup,
        uow: UnitOfWork,
        person: Person,
        secret: str,
        clock: Clock,
    ) -> None:
        setup.change(role_claim="groups", roles={"staff": ["reader"]})
        uow.session.add(Role(name="Reader", code="reader", interface_permissions=["GET:/api/v1/notices"]))
        await uow.session.commit()
        provider.claims["groups"] = ["staff"]
        assert (await prove(client, await log_in_there(client), secret, clock)).status_code == 200
        assert (await client.get("/api/v1/notices", headers=person.headers)).status_code == 200
        provider.claims["groups"] = []
        assert error_of(await log_in_there(client)) == REQUIRED
        assert (await client.get("/api/v1/notices", headers=person.headers)).status_code == 403


class TestThoseWhoMustAddOne:
    async def test_change_no_identity_before(self, client: httpx.AsyncClient, person: Person, setup: Setup) -> None:
        setup.settings.factors = setup.settings.factors.model_copy(update={"is_required": True})
        (identity,) = (await client.get(IDENTITIES, headers=person.headers)).json()["data"]
        denied = 403, "auth.permission_denied"
        assert error_of(await client.post(LINK, headers=person.headers)) == denied
        assert error_of(await client.delete(f"{IDENTITIES}/{identity['id']}", headers=person.headers)) == denied


class TestALogoutAtTheProvider:
    async def test_ends_a_session_that_began_with_two_steps(
        self, client: httpx.AsyncClient, provider: OpenIDProvider, secret: str, clock: Clock
    ) -> None:
        tokens = (await prove(client, await log_in_there(client), secret, clock)).json()["data"]
        token = signed(provider.logout_token(sub=None), key(0))
        assert (await client.post(LOGOUT, data={"logout_token": token})).status_code == 200
        headers = {"Authorization": f"Bearer {tokens['accessToken']}"}
        assert (await client.get(INFO, headers=headers)).status_code == 401

    async def test_between_the_steps_ends_the_login(
        self, client: httpx.AsyncClient, provider: OpenIDProvider, secret: str, clock: Clock
    ) -> None:
        response = await log_in_there(client)
        token = signed(provider.logout_token(), key(0))
        assert (await client.post(LOGOUT, data={"logout_token": token})).status_code == 200
        assert error_of(await prove(client, response, secret, clock)) == (401, "auth.oidc_failed")


class TestTheLastWayToLogIn:
    async def test_is_an_identity_or_a_passkey_and_cannot_be_removed(
        self, client: httpx.AsyncClient, person: Person
    ) -> None:
        enrolment = await begin(client, person, "passkey")
        credential = Authenticator().create(enrolment["options"])
        assert (await confirm(client, person, enrolment["id"], credential=credential)).status_code == 200
        (identity,) = (await client.get(IDENTITIES, headers=person.headers)).json()["data"]
        paths = [f"{IDENTITIES}/{identity['id']}", f"{FACTORS}/{enrolment['id']}"]
        assert (await client.delete(paths[0], headers=person.headers)).status_code == 200
        assert error_of(await client.delete(paths[1], headers=person.headers)) == (409, "auth.last_login")

    async def test_an_authenticator_app_is_none(self, client: httpx.AsyncClient, person: Person, secret: str) -> None:
        (identity,) = (await client.get(IDENTITIES, headers=person.headers)).json()["data"]
        response = await client.delete(f"{IDENTITIES}/{identity['id']}", headers=person.headers)
        assert error_of(response) == (409, "auth.last_login")
