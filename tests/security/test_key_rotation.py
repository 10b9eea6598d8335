"""Keys are rotated while the application is in use: SECURITY rows 5 and 32.

The steps are those of docs/configuration.md: every process knows the new key, then signs with it, then forgets the old
one. Processes take a step one after the other, so each step has to get on with the one before it and the one after it.
"""

import asyncio
import secrets
import time
from collections.abc import Sequence
from itertools import pairwise, permutations
from uuid import uuid4

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from src.core.config.auth import AuthSettings
from src.core.exceptions import UnauthorizedError
from src.core.resources import Resources
from src.core.security.credential import CredentialBox
from src.core.security.token import TokenIssuer
from src.services.challenge import ChallengeService
from tests.core.conftest import pem
from tests.support.login import encrypted, fetch_key
from tests.support.people import People, Person

SESSIONS = "/api/v1/auth/sessions"


def steps(old: AuthSettings, name: str, new_key: SecretStr) -> list[AuthSettings]:
    """The settings before, during and after a rotation of one key."""
    old_key = getattr(old, f"{name}_key")
    keys = [(old_key, None), (old_key, new_key), (new_key, old_key), (new_key, None)]
    return [old.model_copy(update={f"{name}_key": key, f"{name}_previous_key": previous}) for key, previous in keys]


@pytest.fixture
def access_steps(resources: Resources) -> list[AuthSettings]:
    return steps(resources.settings.auth, "access_token", SecretStr(secrets.token_urlsafe(48)))


@pytest.fixture
def refresh_steps(resources: Resources) -> list[AuthSettings]:
    return steps(resources.settings.auth, "refresh_token", SecretStr(secrets.token_urlsafe(48)))


class TestRow05Rotation:
    def test_neighbouring_steps_read_each_others_tokens(self, access_steps: list[AuthSettings]) -> None:
        user = uuid4()
        for step in pairwise(access_steps):
            for writer, reader in permutations(map(TokenIssuer, step)):
                assert reader.read_access(writer.access(user, "session", writer.now())).user_id == user

    def test_the_old_key_is_refused_in_the_end(self, access_steps: list[AuthSettings]) -> None:
        first, *_, last = map(TokenIssuer, access_steps)
        with pytest.raises(UnauthorizedError):
            last.read_access(first.access(uuid4(), "session", first.now()))

    @pytest.mark.slow
    async def test_no_request_is_refused_under_load(
        self,
        client: httpx.AsyncClient,
        person: Person,
        resources: Resources,
        access_steps: list[AuthSettings],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        session_id = resources.tokens.read_access(person.tokens.access_token).session_id
        tokens, done = [person.tokens.access_token], False
        answered = asyncio.Semaphore(0)

        async def read() -> None:
            while not done:
                response = await client.get(SESSIONS, headers={"Authorization": f"Bearer {tokens[-1]}"})
                assert response.status_code == 200, response.text
                answered.release()

        async with asyncio.TaskGroup() as readers:
            for _ in range(8):
                readers.create_task(read())
            for step in access_steps:
                issuer = TokenIssuer(step)
                monkeypatch.setattr(resources, "tokens", issuer)
                for token in (tokens[-1], issuer.access(person.user.id, session_id, issuer.now())):
                    tokens.append(token)
                    for _ in range(40):
                        await answered.acquire()
            done = True

    async def test_a_refresh_token_stays_valid(
        self,
        client: httpx.AsyncClient,
        person: Person,
        resources: Resources,
        refresh_steps: list[AuthSettings],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        token = person.tokens.refresh_token
        for step in refresh_steps:
            monkeypatch.setattr(resources, "tokens", TokenIssuer(step))
            headers = {"X-Refresh-Token": token, "User-Agent": person.headers["User-Agent"]}
            token = (await client.post("/api/v1/auth/token/refresh", headers=headers)).json()["data"]["refreshToken"]

    async def test_a_challenge_stays_valid(self, resources: Resources, refresh_steps: list[AuthSettings]) -> None:
        now = int(time.time())
        for step in pairwise(refresh_steps):
            challenges = [ChallengeService(settings, resources.redis) for settings in step]
            for giver, taker in permutations(challenges):
                assert await taker.redeem(giver.issue(now), now)


@pytest.fixture(scope="module")
def boxes() -> list[CredentialBox]:
    """The login's keys before, during and after a rotation."""
    old, new = (pem(rsa.generate_private_key(public_exponent=65537, key_size=3072)) for _ in range(2))
    names = "RSA_PRIVATE_KEY", "RSA_PREVIOUS_PRIVATE_KEY"
    pairs = [(old,), (old, new), (new, old), (new,)]
    return [CredentialBox(AuthSettings.model_validate(dict(zip(names, pair, strict=False)))) for pair in pairs]


@pytest.mark.slow
class TestRow32RsaRotation:
    async def statuses(
        self, client: httpx.AsyncClient, username: str, resources: Resources, boxes: Sequence[CredentialBox]
    ) -> list[int]:
        """The status of a login that gets the key from one process and sends the password to another."""
        found = []
        for giver, opener in permutations(boxes):
            resources.credentials = giver
            body = {"username": username, **await encrypted(client)}
            resources.credentials = opener
            found.append((await client.post("/api/v1/auth/login", json=body)).status_code)
        return found

    @pytest.fixture(autouse=True)
    def _restored(self, resources: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(resources, "credentials", resources.credentials)

    async def test_neighbouring_steps_decrypt_each_others_logins(
        self, client: httpx.AsyncClient, people: People, resources: Resources, boxes: list[CredentialBox]
    ) -> None:
        username = (await people.user()).username
        for step in pairwise(boxes):
            assert await self.statuses(client, username, resources, step) == [200, 200]

    async def test_the_old_key_decrypts_nothing_in_the_end(
        self, client: httpx.AsyncClient, people: People, resources: Resources, boxes: list[CredentialBox]
    ) -> None:
        username = (await people.user()).username
        assert await self.statuses(client, username, resources, (boxes[0], boxes[-1])) == [401, 401]

    async def test_clients_get_the_new_key(
        self, client: httpx.AsyncClient, resources: Resources, boxes: list[CredentialBox]
    ) -> None:
        told = []
        for box in boxes:
            resources.credentials = box
            told.append((await fetch_key(client))["kid"])
        assert (told[0], told[2]) == (told[1], told[3]) != (told[1], told[0])
