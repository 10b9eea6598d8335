"""A request that meets a store which does not respond gets its 503 when the settings say so, within a tenth."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from sqlalchemy import text

from src.core.resources import Resources
from tests.support.people import PASSWORD, Person
from tests.support.served import Served, serve
from tests.support.waiting import patience
from tests.websockets.conftest import Peer

pytestmark = pytest.mark.process

REQUEST, COMMAND, S3, MONGO, REDIS, POOL, LOCK = 4.0, 3.0, 2.0, 2.0, 1.0, 1.0, 1.0
SETTINGS = {
    "REQUEST_TIMEOUT_SECONDS": REQUEST,
    "SQL_COMMAND_TIMEOUT_SECONDS": COMMAND,
    "SQL_CONNECT_TIMEOUT_SECONDS": 2.0,
    "SQL_POOL_TIMEOUT_SECONDS": POOL,
    "SQL_LOCK_TIMEOUT_SECONDS": LOCK,
    "SQL_POOL_SIZE": 4,
    "MINIO_TIMEOUT_SECONDS": S3,
    "MONGO_TIMEOUT_SECONDS": MONGO,
    "REDIS_TIMEOUT_SECONDS": REDIS,
}
CONCURRENT = 12
UPLOAD = {"filename": "a.txt", "contentType": "text/plain", "sizeBytes": 4}
NOTICE = {"title": "Title", "body": "Text", "expiresAt": "2099-01-01T00:00:00Z"}


def bound(seconds: float) -> float:
    """A tenth more, and half a second for the tests beside it; longer on a busy machine."""
    return seconds + (0.1 * seconds + 0.5) * patience()


@pytest.fixture(scope="module")
async def served_process(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    settings = {name: str(value) for name, value in SETTINGS.items()}
    async with serve(tmp_path_factory.mktemp("deadlines") / "output", **settings) as served:
        yield served


def sign_in(person: Person) -> dict[str, Any]:
    return {"data": {"username": person.user.username, "password": PASSWORD}}


# The store, a request that needs it, and after how many seconds the response must be there at the latest.
CELLS = [
    ("postgres", "GET", "/api/v1/users", {}, COMMAND),
    ("postgres", "GET", "/api/v1/auth/user/info", {}, COMMAND),
    ("postgres", "POST", "/api/v1/notices", {"json": NOTICE}, COMMAND),
    ("postgres", "POST", "/api/v1/files", {"json": UPLOAD}, COMMAND),
    ("postgres", "POST", "/api/v1/auth/login/swagger", sign_in, COMMAND),
    ("redis", "GET", "/api/v1/notices", {}, REDIS),
    ("redis", "POST", "/api/v1/auth/login/swagger", sign_in, REDIS),
    ("mongo", "GET", "/api/v1/audit-logs", {}, MONGO),
    ("s3", "POST", "/api/v1/files", {"json": UPLOAD}, S3),
]


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: " ".join(cell[:3]))
class TestAStoreThatHangs:
    @pytest.mark.parametrize("warm", [True, False], ids=["open connections", "new connections"])
    async def test_delays_no_response_beyond_its_timeout(
        self, served: Served, served_admin: Person, cell: tuple[str, str, str, Any, float], *, warm: bool
    ) -> None:
        store, method, path, body, limit = cell
        content = body(served_admin) if callable(body) else body

        async def send() -> tuple[int, float]:
            started = time.monotonic()
            response = await served.client.request(method, path, headers=served_admin.headers, **content)
            return response.status_code, time.monotonic() - started

        await asyncio.gather(*(send() for _ in range(CONCURRENT)))
        if store == "mongo" and not warm:
            limit += 0.5  # PyMongo looks for a server that often
        if not warm:
            served.stores[store].refuse()
            await served.stores[store].heal()
        served.stores[store].hang()
        results = await asyncio.gather(*(send() for _ in range(CONCURRENT)))
        assert {status for status, _ in results} == {503}
        assert max(seconds for _, seconds in results) < bound(limit), results


# The store, an event that needs it, and after how many seconds its ack must be there at the latest.
EVENTS = [
    ("postgres", "notice.get", {"id": str(uuid4())}, COMMAND),
    ("redis", "notice.get", {"id": str(uuid4())}, REDIS),
    ("mongo", "chat.history", {"room": "deadlines"}, MONGO),
]


class TestAnEvent:
    async def test_is_acknowledged_within_the_timeout_of_a_store_that_hangs(
        self, served: Served, served_admin: Person
    ) -> None:
        late = []
        async with aiohttp.ClientSession() as http:
            peer = Peer(http)
            auth = {"token": served_admin.tokens.access_token}
            await peer.client.connect(str(served.client.base_url), auth=auth, transports=["websocket"])
            await peer.call("chat.join", {"room": "deadlines"})
            for store, event, data, limit in EVENTS:
                await peer.call(event, data)
                served.stores[store].hang()
                started = time.monotonic()
                ack = await peer.call(event, data)
                seconds = time.monotonic() - started
                await served.stores[store].heal()
                if ack["code"] != 4503 or seconds > bound(limit):
                    late.append((store, event, ack, seconds))
            await peer.client.disconnect()
        assert late == []


class TestALockedTable:
    async def test_delays_no_response_beyond_the_pool_and_the_lock(
        self, served: Served, served_admin: Person, resources: Resources
    ) -> None:
        async def send(method: str, **content: Any) -> tuple[int, float]:
            started = time.monotonic()
            response = await served.client.request(method, "/api/v1/notices", headers=served_admin.headers, **content)
            return response.status_code, time.monotonic() - started

        async def send_elsewhere() -> tuple[int, float]:
            started = time.monotonic()
            response = await served.client.get("/api/v1/auth/sessions", headers=served_admin.headers)
            return response.status_code, time.monotonic() - started

        await send("GET")
        async with resources.engine.begin() as connection:
            await connection.execute(text("LOCK TABLE notices"))
            requests = [send("GET") for _ in range(CONCURRENT)] + [send("POST", json=NOTICE) for _ in range(CONCURRENT)]
            flood = asyncio.gather(*requests)
            others = [await send_elsewhere() for _ in range(5)]  # they need no SQL
            results = await flood
        assert {status for status, _ in results} == {503}
        assert max(seconds for _, seconds in results) < bound(POOL + LOCK), results
        assert {status for status, _ in others} == {200}
        assert max(seconds for _, seconds in others) < bound(0.5), others
