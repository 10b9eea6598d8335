from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from src.core.effects import TaskCall
from src.core.resources import Resources
from src.core.security.token import TokenIssuer
from src.core.unit_of_work import UnitOfWork
from src.models.user import User
from tests.security.conftest import Clock
from tests.security.oidc.conftest import (
    IDENTITIES,
    INFO,
    LINK,
    PAGE,
    Setup,
    error_of,
    fragment,
    link_to,
    log_in,
    new_client,
    to_callback,
    visit,
)
from tests.support.openid import OpenIDProvider
from tests.support.outbox import audit_entries
from tests.support.people import People, Person


async def start_linking(client: httpx.AsyncClient, person: Person) -> str:
    """The URL of the callback, after a login at the provider."""
    response = await client.post(LINK, headers=person.headers)
    assert response.status_code == 200, response.text
    return await visit(response.json()["data"]["url"])


async def identities(client: httpx.AsyncClient, person: Person) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.get(IDENTITIES, headers=person.headers)).json()["data"]
    return found


async def unlink(client: httpx.AsyncClient, person: Person, identity_id: object) -> httpx.Response:
    return await client.delete(f"{IDENTITIES}/{identity_id}", headers=person.headers)


@pytest.fixture
async def person(people: People) -> Person:
    return await people.create()


class TestLinking:
    async def test_lets_the_identity_log_in(
        self, client: httpx.AsyncClient, person: Person, provider: OpenIDProvider
    ) -> None:
        provider.claims |= {"email": "ada@example.com", "email_verified": True}
        response = await client.get(await start_linking(client, person))
        assert response.status_code == 201
        (identity,) = await identities(client, person)
        assert response.json()["data"] == {**identity, "lastUsedAt": None}
        assert (identity["provider"], identity["email"]) == ("test", "ada@example.com")
        tokens = (await log_in(client)).json()["data"]
        headers = {"Authorization": f"Bearer {tokens['accessToken']}"}
        assert (await client.get(INFO, headers=headers)).json()["data"]["username"] == person.user.username
        assert (await identities(client, person))[0]["lastUsedAt"] is not None

    async def test_is_told_to_the_frontend_and_to_the_user(
        self, client: httpx.AsyncClient, person: Person, setup: Setup, sent: list[TaskCall], uow: UnitOfWork
    ) -> None:
        setup.configure(frontend_url=PAGE)
        assert fragment(await client.get(await start_linking(client, person))) == {"linked": "test"}
        (notice,) = [call.kwargs for call in sent if call.name == "emails.send_notice"]
        assert (notice["user_id"], notice["notice"]) == (str(person.user.id), "identity_linked")
        assert notice["details"]["provider"] == "Test & Co"
        (entry,) = await audit_entries(uow, "GET:/api/v1/auth/oidc/{provider}/callback")
        assert (entry["actor_id"], entry["result"]) == (str(person.user.id), "success")
        assert entry["target"]["identityId"]

    async def test_twice_changes_nothing(self, client: httpx.AsyncClient, person: Person, sent: list[TaskCall]) -> None:
        for _ in range(2):
            assert (await client.get(await start_linking(client, person))).status_code == 201
        assert len(await identities(client, person)) == 1
        assert len([call for call in sent if call.name == "emails.send_notice"]) == 1

    async def test_of_somebody_elses_identity_is_refused(
        self, client: httpx.AsyncClient, person: Person, linked: User
    ) -> None:
        assert error_of(await client.get(await start_linking(client, person))) == (409, "auth.oidc_taken")
        assert await identities(client, person) == []

    async def test_needs_the_session_that_started_it(self, client: httpx.AsyncClient, person: Person) -> None:
        url = await start_linking(client, person)
        await client.post("/api/v1/auth/logout", headers=person.headers)
        assert error_of(await client.get(url)) == (401, "auth.unauthorized")

    async def test_another_session_of_the_user_is_not_enough(
        self, client: httpx.AsyncClient, person: Person, people: People
    ) -> None:
        other = await people.login(person.user)
        url = await start_linking(client, person)
        await client.post("/api/v1/auth/logout", headers=person.headers)
        assert error_of(await client.get(url)) == (401, "auth.unauthorized")
        assert await identities(client, other) == []

    async def test_in_a_foreign_browser_is_refused(
        self, client: httpx.AsyncClient, oidc_app: FastAPI, person: Person
    ) -> None:
        """An attacker sends the victim, who is logged in at the provider, a URL that links to their own account."""
        url = await start_linking(client, person)
        async with new_client(oidc_app) as victim:
            await to_callback(victim)
            assert error_of(await victim.get(url)) == (400, "auth.oidc_state")
        assert await identities(client, person) == []

    async def test_of_a_user_who_was_disabled_is_refused(
        self, client: httpx.AsyncClient, person: Person, uow: UnitOfWork
    ) -> None:
        url = await start_linking(client, person)
        person.user.status = False
        uow.session.add(person.user)
        await uow.session.commit()
        assert error_of(await client.get(url)) == (401, "auth.unauthorized")

    @pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer x"}])
    async def test_needs_a_login(self, client: httpx.AsyncClient, headers: dict[str, str]) -> None:
        assert error_of(await client.post(LINK, headers=headers)) == (401, "auth.unauthorized")
        assert error_of(await client.get(IDENTITIES, headers=headers)) == (401, "auth.unauthorized")


class TestAProofThatIsLongAgo:
    """Step-up: a stolen session alone gets nobody another way in."""

    async def test_links_and_unlinks_nothing(
        self,
        client: httpx.AsyncClient,
        person: Person,
        provider: OpenIDProvider,
        uow: UnitOfWork,
        resources: Resources,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        identity = await link_to(uow, person.user, provider)
        clock = Clock()
        clock.advance(601)
        monkeypatch.setattr(resources, "tokens", TokenIssuer(resources.settings.auth, clock))
        for response in (await client.post(LINK, headers=person.headers), await unlink(client, person, identity.id)):
            assert error_of(response) == (401, "auth.recent_login_required")


class TestUnlinking:
    async def test_ends_logins_with_it_and_the_sessions_that_it_started(
        self,
        client: httpx.AsyncClient,
        person: Person,
        people: People,
        provider: OpenIDProvider,
        uow: UnitOfWork,
        sent: list[TaskCall],
    ) -> None:
        identity = await link_to(uow, person.user, provider)
        other = await people.login(person.user)
        tokens = (await log_in(client)).json()["data"]
        assert (await unlink(client, person, identity.id)).status_code == 200
        assert error_of(await log_in(client)) == (401, "auth.oidc_not_linked")
        headers = {"Authorization": f"Bearer {tokens['accessToken']}"}
        assert (await client.get(INFO, headers=headers)).status_code == 401
        for session in (person, other):
            assert (await client.get(INFO, headers=session.headers)).status_code == 200
        notices = [call.kwargs["notice"] for call in sent if call.name == "emails.send_notice"]
        assert notices[-1] == "identity_unlinked"

    async def test_of_anothers_identity_is_404(
        self, client: httpx.AsyncClient, person: Person, linked: User, people: People, provider: OpenIDProvider
    ) -> None:
        (identity,) = await identities(client, await people.login(linked))
        assert error_of(await unlink(client, person, identity["id"])) == (404, "resource.not_found")

    async def test_is_refused_if_nothing_else_logs_in(
        self, client: httpx.AsyncClient, people: People, provider: OpenIDProvider, uow: UnitOfWork
    ) -> None:
        person = await people.create(password_hash="")
        first = await link_to(uow, person.user, provider)
        assert error_of(await unlink(client, person, first.id)) == (409, "auth.last_login")
        provider.claims["sub"] = "another"
        second = await link_to(uow, person.user, provider)
        assert (await unlink(client, person, first.id)).status_code == 200
        assert error_of(await unlink(client, person, second.id)) == (409, "auth.last_login")

    async def test_an_identity_of_a_provider_that_is_gone_does_not_count(
        self, client: httpx.AsyncClient, people: People, provider: OpenIDProvider, uow: UnitOfWork
    ) -> None:
        person = await people.create(password_hash="")
        identity = await link_to(uow, person.user, provider)
        gone = await link_to(uow, person.user, provider=_Gone())
        assert error_of(await unlink(client, person, identity.id)) == (409, "auth.last_login")
        assert (await unlink(client, person, gone.id)).status_code == 200


class _Gone(OpenIDProvider):
    def __init__(self) -> None:
        super().__init__(1)
