"""Two servers, and a client that speaks the protocol by hand."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest
from fastapi import FastAPI

from src.websockets.server import AsyncServer
from tests.support.waiting import PATIENCE_SECONDS, eventually
from tests.websockets.conftest import serve
from tests.websockets.recovery.recoverable import create, wait_for_redis

PATH = "/socket.io/?EIO=4&transport=websocket"


class Wire:
    """The protocol by hand, as the JavaScript client speaks it."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self.websocket = websocket
        self.sid = self.pid = ""
        self.tracks_offset = True
        self.offset: str | None = None

    async def open(self, **auth: Any) -> dict[str, Any]:
        await self.websocket.receive_str()
        auth = {"recover": True, **auth}
        self.tracks_offset = auth["recover"]
        await self.websocket.send_str(f"40{json.dumps(auth)}")
        answer: dict[str, Any] = json.loads((await self.packet())[2:])
        self.sid, self.pid = answer["sid"], answer.get("pid", "")
        return answer

    async def packet(self) -> str:
        return await asyncio.wait_for(self.websocket.receive_str(), PATIENCE_SECONDS)

    async def event(self) -> list[Any]:
        """The next event without its offset, which is recorded."""
        packet = await self.packet()
        event: list[Any] = json.loads(packet[packet.index("[") :])
        if self.tracks_offset and self.pid:
            self.offset = event.pop()
        return event

    async def call(self, *event: Any) -> Any:
        await self.websocket.send_str(f"421{json.dumps(event)}")
        answer = await self.packet()
        assert answer.startswith("431"), answer
        return json.loads(answer[3:])


Open = Callable[..., Awaitable[Wire]]


@pytest.fixture(autouse=True)
def patient_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    wait_for_redis(monkeypatch.setattr)


@pytest.fixture
def url() -> str:
    return os.environ["REDIS_DATABASE_URL"]


@pytest.fixture
async def servers(url: str) -> AsyncIterator[list[tuple[AsyncServer, str]]]:
    """Two servers that share nothing but Redis, with their addresses."""
    first, second = create(url), create(url)
    async with (
        serve(first.asgi(FastAPI()), lifespan="off") as one,
        serve(second.asgi(FastAPI()), lifespan="off") as two,
    ):
        yield [(first, one), (second, two)]
        await first.shutdown()
        await second.shutdown()


@pytest.fixture
async def wire(servers: list[tuple[AsyncServer, str]]) -> AsyncIterator[Open]:
    async with dialing() as dial:

        async def connect(number: int = 0, **auth: Any) -> Wire:
            server, url = servers[number]
            wire = await dial(url)
            await wire.open(**auth)
            await eventually(lambda: server.manager.is_listening)
            return wire

        yield connect


@asynccontextmanager
async def dialing() -> AsyncIterator[Callable[[str], Awaitable[Wire]]]:
    """Open websockets to servers, given by address; all are closed in the end."""
    async with aiohttp.ClientSession() as http, AsyncExitStack() as stack:

        async def dial(url: str) -> Wire:
            return Wire(await stack.enter_async_context(http.ws_connect(f"{url}{PATH}")))

        yield dial


async def cut(wire: Wire, server: AsyncServer) -> dict[str, Any]:
    """Break the network, and wait until the session is saved; returns what the client needs to recover it."""
    assert wire.websocket._response.connection is not None
    transport = wire.websocket._response.connection.transport
    assert transport is not None
    transport.abort()
    redis = server.recovery.bus.redis if server.recovery else None
    assert redis is not None
    await eventually(lambda: has_ended(redis, wire.pid))
    return {"pid": wire.pid, **({"offset": wire.offset} if wire.offset else {})}


async def has_ended(redis: Any, pid: str) -> bool:
    """Whether a session is saved, and its process has noticed the end of the connection."""
    saved: bytes = await redis.get(f"socketio:connection:{pid}") or b""
    return b'"has_ended": true' in saved
