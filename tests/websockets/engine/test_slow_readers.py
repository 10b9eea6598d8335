"""Clients that read too slowly, or nothing."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
import uvicorn
from fastapi import FastAPI
from prometheus_client import REGISTRY

from src.websockets.limits import Limits
from src.websockets.server import AsyncServer
from tests.support.waiting import PATIENCE_SECONDS, eventually, patience
from tests.websockets.conftest import Host

pytestmark = pytest.mark.slow

PATH = "/socket.io/?EIO=4&transport=websocket"
POLLING = "/socket.io/?EIO=4&transport=polling"
UPGRADE = (
    f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
).encode()


def text_frame(text: bytes) -> bytes:
    """A short text from a client, masked by zeros."""
    return bytes([0x81, 0x80 | len(text)]) + bytes(4) + text


@pytest.fixture
def limits() -> Limits:
    return Limits(queued_packets=50)


class Deaf:
    """A websocket client that reads nothing."""

    def __init__(self, client: socket.socket) -> None:
        self.client = client

    async def open(self, url: str) -> None:
        address, loop = urlsplit(url), asyncio.get_running_loop()
        await loop.sock_connect(self.client, (address.hostname, address.port))
        await loop.sock_sendall(self.client, UPGRADE)
        await loop.sock_recv(self.client, 1024)
        await loop.sock_sendall(self.client, text_frame(b"40"))


@pytest.fixture
def deaf() -> Iterator[Deaf]:
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        yield Deaf(client)


async def overflow(server: AsyncServer) -> None:
    """Emit until the client is dropped."""
    while server.eio.sockets:
        await server.emit("news", "x" * 100_000)
        await asyncio.sleep(0)


async def fill(server: AsyncServer) -> Any:
    """Emit until two megabytes wait for the client; returns its transport."""
    await eventually(lambda: any(server.manager.get_participants("/", None)))
    (transport,) = server.eio.sockets.values()
    while transport.queue.size_bytes < 2_000_000:
        await server.emit("news", "x" * 100_000)
        await asyncio.sleep(0)
    return transport


class TestSlowReader:
    async def test_is_dropped(self, sio: AsyncServer, host: Host) -> None:
        async with aiohttp.ClientSession() as http, http.ws_connect(f"{host.url}{PATH}") as websocket:
            await websocket.send_str("40")
            await websocket.receive_str()
            await websocket.receive_str()
            async with asyncio.timeout(PATIENCE_SECONDS):
                while sio.eio.sockets:
                    for _ in range(20):
                        await sio.emit("news", "x" * 100_000)
                    await asyncio.sleep(0.01)

    async def test_that_goes_silent_leaves_nothing(self, host: Host, app: FastAPI, deaf: Deaf) -> None:
        """Neither its connection nor its queue."""
        server = AsyncServer(ping_interval=1, ping_timeout=1)
        host.app = server.asgi(app)
        await deaf.open(host.url)
        transport = await fill(server)
        await eventually(lambda: not server.eio.sockets and transport.queue.empty())
        assert not [task for task in asyncio.all_tasks() if "WebSocketLoops._write" in str(task.get_coro())]
        await server.shutdown()

    async def test_that_is_dropped_is_counted_and_its_connection_ends(
        self, sio: AsyncServer, app: FastAPI, deaf: Deaf
    ) -> None:
        web = uvicorn.Server(uvicorn.Config(sio.asgi(app), port=0, log_level="warning", lifespan="off"))
        async with running(web) as url:
            before = dropped("slow reader")
            await deaf.open(url)
            await fill(sio)
            await overflow(sio)
            async with asyncio.timeout(5 * patience()):
                await eventually(lambda: not web.server_state.connections)
            assert dropped("slow reader") == before + 1

    async def test_does_not_hold_up_a_shutdown(self, app: FastAPI, deaf: Deaf) -> None:
        server = AsyncServer()
        web = uvicorn.Server(uvicorn.Config(server.asgi(app), port=0, log_level="warning", lifespan="off"))
        async with running(web) as url:
            await deaf.open(url)
            await fill(server)
            web.should_exit = True
            async with asyncio.timeout(6 * patience()):
                await eventually(lambda: not web.server_state.connections)

    async def test_that_polls_is_disconnected(self, sio: AsyncServer, app: FastAPI, deaf: Deaf) -> None:
        web = uvicorn.Server(uvicorn.Config(sio.asgi(app), port=0, log_level="warning", lifespan="off"))
        async with running(web) as url, aiohttp.ClientSession() as http:
            async with http.get(f"{url}{POLLING}") as response:
                path = f"{POLLING}&sid={json.loads((await response.text())[1:])['sid']}"
            async with http.post(f"{url}{path}", data="40") as response:
                assert response.status == 200
            (transport,) = sio.eio.sockets.values()
            for _ in range(40):
                await sio.emit("news", "x" * 100_000)
            await http.close()
            loop, address = asyncio.get_running_loop(), urlsplit(url)
            await loop.sock_connect(deaf.client, (address.hostname, address.port))
            await loop.sock_sendall(deaf.client, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            await eventually(transport.queue.empty)
            await overflow(sio)
            async with asyncio.timeout(5 * patience()):
                await eventually(lambda: not web.server_state.connections)


@asynccontextmanager
async def running(web: uvicorn.Server) -> AsyncIterator[str]:
    """A web server of its own; yields its address."""
    serving = asyncio.create_task(web.serve())
    await eventually(lambda: web.started)
    yield f"http://127.0.0.1:{web.servers[0].sockets[0].getsockname()[1]}"
    web.should_exit = True
    await serving


def dropped(reason: str) -> float:
    return REGISTRY.get_sample_value("socketio_dropped_clients_total", {"reason": reason}) or 0
