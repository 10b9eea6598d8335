"""What one user may have: sessions, stored bytes, schedules. Beyond it 409, with the number."""

import asyncio
from typing import Any

import httpx
import pytest

from src.core.config.auth import AuthSettings
from src.core.config.celery import CelerySettings
from src.core.config.files import FileSettings
from src.core.exceptions import ConflictError
from src.core.resources import Resources
from src.services.client_tokens import ClientInfo
from src.services.session import SessionService
from tests.security.test_task_permissions import body
from tests.support.login import log_in
from tests.support.people import People, Person
from tests.support.uploads import CODES, FILES, begin, uploaded

SCHEDULES = "/api/v1/schedules"


def refusal(response: httpx.Response) -> tuple[int, str, Any]:
    answer = response.json()
    return response.status_code, answer["error"], answer["data"]


class TestEscalation20Sessions:
    @pytest.fixture(autouse=True)
    def three(self, resources: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
        auth = resources.settings.auth.model_copy(update={"sessions_per_user": 3})
        assert isinstance(auth, AuthSettings)
        monkeypatch.setattr(resources.settings, "auth", auth)

    async def test_are_limited_until_one_ends(self, client: httpx.AsyncClient, people: People) -> None:
        user = await people.user()
        tokens = [(await log_in(client, user.username)).json()["data"]["accessToken"] for _ in range(3)]
        assert refusal(await log_in(client, user.username)) == (409, "auth.too_many_sessions", {"limit": 3})
        await client.post("/api/v1/auth/logout", headers={"Authorization": f"Bearer {tokens[0]}"})
        assert (await log_in(client, user.username)).status_code == 200

    async def test_at_once_as_well(self, people: People, resources: Resources) -> None:
        user, sessions = await people.user(), SessionService(resources)
        starts = (sessions.start(user.id, ClientInfo("tests", "127.0.0.1")) for _ in range(10))
        results = await asyncio.gather(*starts, return_exceptions=True)
        assert sum(isinstance(result, ConflictError) for result in results) == 7

    async def test_refreshing_starts_none(self, client: httpx.AsyncClient, people: People) -> None:
        person = await people.create()
        for _ in range(2):
            await people.login(person.user)
        token = person.tokens.refresh_token
        for _ in range(5):
            headers = {**person.headers, "X-Refresh-Token": token}
            response = await client.post("/api/v1/auth/token/refresh", headers=headers)
            token = response.json()["data"]["refreshToken"]
            assert response.status_code == 200


class TestEscalation20StoredBytes:
    @pytest.fixture(autouse=True)
    def ten_bytes(self, resources: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(resources.settings, "files", FileSettings(FILE_BYTES_PER_USER=10))

    async def test_of_files_and_uploads_are_limited(self, client: httpx.AsyncClient, people: People) -> None:
        owner, other = await people.create(*CODES), await people.create(*CODES)
        file = await uploaded(client, owner, b"12345")
        assert (await begin(client, owner, b"12345")).status_code == 201
        assert refusal(await begin(client, owner, b"1")) == (409, "file.too_many_bytes", {"limit": 10})
        assert (await begin(client, other, b"1234567890")).status_code == 201
        await client.delete(f"{FILES}/{file['id']}", headers=owner.headers)
        assert (await begin(client, owner, b"12345")).status_code == 201


class TestEscalation20Schedules:
    @pytest.fixture(autouse=True)
    def two(self, resources: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(resources.settings, "celery", CelerySettings(SCHEDULES_PER_USER=2))

    async def test_are_limited_per_user(self, client: httpx.AsyncClient, admin: Person, people: People) -> None:
        async def create(person: Person) -> httpx.Response:
            return await client.post(SCHEDULES, json=body(), headers=person.headers)

        ids = [(await create(admin)).json()["data"]["id"] for _ in range(2)]
        assert refusal(await create(admin)) == (409, "schedules.too_many", {"limit": 2})
        assert (await create(await people.create(is_admin=True))).status_code == 201
        await client.delete(f"{SCHEDULES}/{ids[0]}", headers=admin.headers)
        assert (await create(admin)).status_code == 201
