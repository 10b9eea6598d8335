"""docs/client/python: what is written by hand, against the running application."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from docs.client.python.api_client.session import ApiError, MemoryStore, Session
from docs.client.python.api_client.socket import EventError, Socket
from docs.client.python.api_client.upload import UploadInterruptedError, UploadState, reopen_upload, upload
from tests.support.waiting import PATIENCE_SECONDS, eventually

pytestmark = pytest.mark.process

USER = "/api/v1/auth/user/info"
REFRESH = "/api/v1/auth/token/refresh"


@pytest.fixture
async def session(site: httpx.Client) -> AsyncIterator[Session]:
    async with Session(str(site.base_url)) as session:
        await session.login("admin", "123456")
        yield session


@pytest.fixture
def exchanges(session: Session) -> list[str]:
    """The exchanges of refresh tokens that the session makes."""
    made: list[str] = []

    async def note(request: httpx.Request) -> None:
        if request.url.path == REFRESH:
            made.append(request.headers["X-Refresh-Token"])

    session.http.event_hooks["request"].append(note)
    return made


def expire(session: Session, store: MemoryStore) -> None:
    """Replace the access token by one that is refused."""
    assert session.tokens
    store.write({**session.tokens, "accessToken": "expired"})


async def test_a_program_sends_its_api_key(session: Session, site: httpx.Client) -> None:
    body = {"name": "Program", "codes": ["GET:/api/v1/notices"]}
    made = await session.call("POST", "/api/v1/api-keys", body=body)
    async with Session(str(site.base_url), api_key=made["key"]) as program:
        assert isinstance(await program.call("GET", "/api/v1/notices"), list)
        await session.call("DELETE", f"/api/v1/api-keys/{made['id']}")
        with pytest.raises(ApiError) as raised:
            await program.call("GET", "/api/v1/notices")
    assert (raised.value.status, raised.value.error) == (401, "auth.unauthorized")


class TestASession:
    async def test_tells_a_wrong_password(self, session: Session) -> None:
        with pytest.raises(ApiError) as raised:
            await session.login("admin", "wrong")
        assert (raised.value.status, raised.value.error) == (401, "auth.invalid_credentials")

    async def test_exchanges_one_token_for_calls_at_the_same_time(self, session: Session, exchanges: list[str]) -> None:
        assert isinstance(session._store, MemoryStore)
        expire(session, session._store)
        users = await asyncio.gather(*(session.call("GET", USER) for _ in range(5)))
        assert {user["username"] for user in users} == {"admin"}
        assert len(exchanges) == 1

    async def test_gets_the_same_tokens_in_another_process(self, session: Session, site: httpx.Client) -> None:
        store = MemoryStore()
        store.write(session.tokens)
        async with Session(str(site.base_url), store) as other:
            first, second = await asyncio.gather(session.refresh(), other.refresh())
        assert first["refreshToken"] == second["refreshToken"]

    async def test_names_invalid_fields(self, session: Session) -> None:
        with pytest.raises(ApiError) as raised:
            await session.call("POST", "/api/v1/notices", body={"title": ""})
        assert set(raised.value.fields) == {"title", "body", "expiresAt"}

    async def test_forgets_the_tokens_when_it_has_ended(self, session: Session) -> None:
        tokens = session.tokens
        await session.logout()
        assert isinstance(session._store, MemoryStore)
        session._store.write(tokens)
        with pytest.raises(ApiError) as raised:
            await session.call("GET", USER)
        assert raised.value.status == 401
        assert session.tokens is None


class TestAnUpload:
    async def test_goes_on_after_an_interruption(self, session: Session, tmp_path: Path) -> None:
        content = secrets.token_bytes(25 << 20)  # four parts, of which three are sent at once
        file = tmp_path / "film"
        shares: list[float] = []
        file.write_bytes(content)

        def interrupt(share: float) -> None:
            raise InterruptedError

        with pytest.raises(UploadInterruptedError) as raised:
            await upload(session, file, on_progress=interrupt)
        state = UploadState(**raised.value.state.to_json())
        assert 0 < len(state.done) < len(state.plan["parts"])
        reopened = await reopen_upload(session, state.plan["id"])
        assert {part["partNumber"] for part in state.done} <= {part["partNumber"] for part in reopened.done}
        record = await upload(session, file, on_progress=shares.append, resume=reopened)
        assert shares[-1] == 1
        async with httpx.AsyncClient() as storage:
            assert (await storage.get(record["downloadUrl"])).content == content


class TestASocket:
    async def test_outlives_its_token(self, session: Session) -> None:
        room, received = secrets.token_hex(4), asyncio.Queue[Any]()
        socket = Socket(session)
        socket.on("chat.receive", received.put)
        async with socket:
            await socket.call("chat.join", {"room": room})
            await session.refresh()
            await socket.call("chat.send", {"room": room, "text": "Hello"})
            assert (await asyncio.wait_for(received.get(), PATIENCE_SECONDS))["text"] == "Hello"
            with pytest.raises(EventError) as raised:
                await socket.call("chat.send", {"room": room})
            assert raised.value.code == 1007

    async def test_connects_again(self, session: Session) -> None:
        connected = asyncio.Queue[None]()

        async def connect() -> None:
            await connected.put(None)

        socket = Socket(session)
        socket.on("connect", connect)
        async with socket:
            await asyncio.wait_for(connected.get(), PATIENCE_SECONDS)
            await socket.client.eio.ws.close()
            await asyncio.wait_for(connected.get(), PATIENCE_SECONDS)

    async def test_does_not_open_without_a_session(self, session: Session) -> None:
        await session.logout()
        with pytest.raises(ApiError):
            await Socket(session).__aenter__()

    async def test_leaves_nothing_running_if_its_opening_is_cancelled(self, session: Session) -> None:
        store = MemoryStore()
        store.write(session.tokens)
        async with Session("http://127.0.0.1:1", store) as unreachable:
            socket = Socket(unreachable)
            opening = asyncio.create_task(socket.__aenter__())
            await eventually(lambda: socket._tasks)
            opening.cancel()
            await asyncio.wait([opening])
            assert [task for task in socket._tasks if not task.done()] == []
            assert unreachable.listeners == set()
