"""The server as outermost ASGI application: origins, transports, the lifespan."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import httpx
import pytest
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from starlette.types import Receive, Scope, Send

from src.websockets.server import AsyncServer
from tests.websockets.conftest import Connect, Host, serve

PATH = "/socket.io/?EIO=4&transport="
GOOD = {"Origin": "http://good.example"}
EVIL = {"Origin": "http://evil.example"}


class TestRow42Origin:
    @pytest.fixture(autouse=True)
    def _middleware(self, app: FastAPI, sio: AsyncServer) -> None:
        app.add_middleware(CORSMiddleware, allow_origins=["http://good.example"], allow_credentials=True)

    async def test_gets_one_cors_header(self, host: Host) -> None:
        async with httpx.AsyncClient(base_url=host.url) as client:
            response = await client.get(f"{PATH}polling", headers=GOOD)
        assert response.status_code == 200
        assert response.headers.get_list("access-control-allow-origin") == ["http://good.example"]

    async def test_that_is_not_allowed_is_refused_a_websocket(self, host: Host) -> None:
        async with aiohttp.ClientSession() as http:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
                await http.ws_connect(f"{host.url}{PATH}websocket", headers=EVIL)
        assert refusal.value.status == 403

    async def test_that_is_not_allowed_is_refused_polling(self, host: Host) -> None:
        async with httpx.AsyncClient(base_url=host.url) as client:
            response = await client.get(f"{PATH}polling", headers=EVIL)
        assert response.status_code == 400
        assert "access-control-allow-origin" not in response.headers


class TestUpgrade:
    async def test_from_polling_to_a_websocket(self, sio: AsyncServer, connect: Connect) -> None:
        @sio.on("say")
        async def handler(text: str) -> str:
            return text

        peer = await connect(transports=["polling", "websocket"])
        assert peer.client.transport() == "websocket"
        assert await peer.call("say", "hi") == "hi"
        await sio.emit("news", b"raw")
        assert await peer.next() == ("/", "news", b"raw")

    async def test_the_admin_ui_counts_packets(self, sio: AsyncServer, connect: Connect) -> None:
        admin = sio.instrument(auth=False, mode="development", namespace="/admin")

        @sio.on("say")
        async def handler(text: str) -> str:
            return text

        try:
            assert await (await connect()).call("say", "hi") == "hi"
            assert any(key.endswith("packetsIn") for key in admin.event_buffer.buffer)
        finally:
            admin.uninstrument()


class TestTransportsOption:
    async def test_can_refuse_polling(self, host: Host, app: FastAPI) -> None:
        host.app = AsyncServer(transports=["websocket"]).asgi(app)
        async with httpx.AsyncClient(base_url=host.url) as client:
            assert (await client.get(f"{PATH}polling")).status_code == 400


class TestApplication:
    async def test_gets_every_other_path(self, app: FastAPI, sio: AsyncServer, host: Host) -> None:
        @app.get("/hello")
        async def hello() -> str:
            return "world"

        async with httpx.AsyncClient(base_url=host.url) as client:
            assert (await client.get("/hello")).json() == "world"

    async def test_gets_the_lifespan(self) -> None:
        log: list[str] = []

        @asynccontextmanager
        async def lifespan(app: FastAPI) -> AsyncIterator[None]:
            log.append("start")
            yield
            log.append("stop")

        app = AsyncServer().asgi(FastAPI(lifespan=lifespan))
        async with serve(app, lifespan="on"):
            assert log == ["start"]
        assert log == ["start", "stop"]


class TestTransport:
    async def test_is_closed_after_a_refusal(self, sio: AsyncServer, host: Host) -> None:
        @sio.on("connect")
        async def handler() -> bool:
            return False

        async with aiohttp.ClientSession() as http, http.ws_connect(f"{host.url}{PATH}websocket") as websocket:
            assert (await websocket.receive_str()).startswith("0{")
            await websocket.send_str("40")
            assert (await websocket.receive_str()).startswith('44{"message":"Connection Refused."')
            assert (await websocket.receive_str()) == "1"
            assert (await websocket.receive(timeout=3)).type is aiohttp.WSMsgType.CLOSE

    async def test_of_a_polling_client_is_closed_when_the_server_shuts_down(self, sio: AsyncServer, host: Host) -> None:
        async with httpx.AsyncClient(base_url=host.url) as client:
            handshake = await client.get(f"{PATH}polling")
            session = f"{PATH}polling&sid={handshake.text.split(chr(34))[3]}"
            inner, arrived = host.app, asyncio.Event()

            async def watch(scope: Scope, receive: Receive, send: Send) -> None:
                arrived.set()
                await inner(scope, receive, send)

            host.app = watch
            waiting = asyncio.create_task(client.get(session, timeout=5))
            await arrived.wait()
            await sio.shutdown()
            assert (await waiting).text == "1"

    async def test_of_a_polling_client_is_closed_after_a_refusal(self, sio: AsyncServer, host: Host) -> None:
        @sio.on("connect")
        async def handler() -> bool:
            return False

        async with httpx.AsyncClient(base_url=host.url) as client:
            handshake = await client.get(f"{PATH}polling")
            session = f"{PATH}polling&sid={handshake.text.split(chr(34))[3]}"
            await client.post(session, content="40")
            assert "Connection Refused." in (await client.get(session)).text
            assert (await client.get(session)).status_code == 400
