"""The in-memory client behaves like a real one."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI

from src.websockets.params import SID, Environ, Reason
from src.websockets.server import AsyncServer
from src.websockets.testing import Received, Refused, SocketClient


@pytest.fixture
async def sio() -> AsyncIterator[AsyncServer]:
    server = AsyncServer(cors_allowed_origins=["http://good.example"])

    @server.on("echo")
    async def echo(value: Any) -> Any:
        return value

    yield server
    await server.shutdown()


class TestConnecting:
    async def test_sends_auth_and_headers(self, sio: AsyncServer) -> None:
        @sio.on("connect")
        async def connect(auth: dict[str, str], environ: Environ) -> None:
            seen.update(auth, agent=environ["HTTP_USER_AGENT"])

        seen: dict[str, str] = {}
        async with SocketClient(sio, auth={"token": "t"}, headers={"User-Agent": "tests"}) as client:
            assert sio.manager.is_connected(client.sid, "/")
        assert seen == {"token": "t", "agent": "tests"}

    @pytest.mark.slow
    async def test_a_refusal_has_its_body(self, sio: AsyncServer) -> None:
        sio.on("connect")(lambda: False)
        with pytest.raises(Refused) as refusal:
            await SocketClient(sio).__aenter__()
        assert refusal.value.body["data"]["code"] == 1008
        assert not sio.eio.sockets

    async def test_a_foreign_origin_is_refused_in_the_handshake(self, sio: AsyncServer) -> None:
        with pytest.raises(Refused) as refusal:
            await SocketClient(sio, headers={"Origin": "http://evil.example"}).__aenter__()
        assert refusal.value.body is None

    async def test_accepts_the_wrapped_application(self, sio: AsyncServer) -> None:
        async with SocketClient(sio.asgi(FastAPI())) as client:
            assert await client.call("echo", 1) == 1

    async def test_namespaces_share_a_transport(self, sio: AsyncServer) -> None:
        @sio.on("who", namespace="/chat")
        async def who(sid: SID) -> str:
            return sid

        async with SocketClient(sio) as client:
            chat = await client.join("/chat")
            assert await chat.call("who") == chat.sid != client.sid
            assert len(sio.eio.sockets) == 1


class TestEvents:
    @pytest.mark.parametrize("value", [1, None, {"text": "hi"}, ["ü"], b"\xff", {"parts": [b"a", b"b"]}])
    async def test_an_ack_is_what_the_handler_returns(self, sio: AsyncServer, value: Any) -> None:
        async with SocketClient(sio) as client:
            assert await client.call("echo", value) == value

    async def test_events_arrive_in_order(self, sio: AsyncServer) -> None:
        async with SocketClient(sio) as client:
            await sio.emit("none")
            await sio.emit("one", {"file": b"\xff"})
            await sio.emit("two", (1, 2))
            received = [await client.receive() for _ in range(3)]
        assert received == [("none", None), ("one", {"file": b"\xff"}), ("two", (1, 2))]

    async def test_events_sent_before_an_ack_arrive_before_it(self, sio: AsyncServer) -> None:
        @sio.on("say")
        async def say() -> None:
            await sio.emit("said", 1)

        async with SocketClient(sio) as client:
            await client.call("say")
            assert list(client.waiting) == [Received("said", 1)]

    async def test_acknowledges_the_servers_calls(self, sio: AsyncServer) -> None:
        async with SocketClient(sio) as client:
            client.answers["ask"] = lambda number: number + 1
            assert await sio.call("ask", 1, to=client.sid) == 2

    async def test_waits_are_limited(self, sio: AsyncServer) -> None:
        async with SocketClient(sio, timeout=0.01) as client:
            with pytest.raises(TimeoutError):
                await client.receive()

    async def test_answers_pings(self) -> None:
        sio = AsyncServer(ping_interval=0.05, ping_timeout=0.05)
        async with SocketClient(sio) as client:
            await asyncio.sleep(0.3)
            assert sio.manager.is_connected(client.sid, "/")
        await sio.shutdown()


class TestDisconnecting:
    @pytest.fixture
    def reasons(self, sio: AsyncServer) -> list[str]:
        """The reasons that the disconnect handler gets."""

        @sio.on("disconnect")
        async def disconnect(reason: Reason) -> None:
            reasons.append(reason)

        reasons: list[str] = []
        return reasons

    async def test_by_the_client(self, sio: AsyncServer, reasons: list[str]) -> None:
        async with SocketClient(sio) as client:
            pass
        assert (reasons, await client.disconnected()) == (["client disconnect"], "io client disconnect")
        assert not sio.eio.sockets

    async def test_by_the_network(self, sio: AsyncServer, reasons: list[str]) -> None:
        async with SocketClient(sio) as client:
            await client.cut()
            assert (reasons, await client.disconnected()) == (["transport close"], "transport close")

    async def test_by_the_server(self, sio: AsyncServer, reasons: list[str]) -> None:
        async with SocketClient(sio) as client:
            await sio.disconnect(client.sid)
            assert (reasons, await client.disconnected()) == (["server disconnect"], "io server disconnect")
            with pytest.raises(ConnectionError):
                await client.receive()

    @pytest.mark.slow
    async def test_fails_a_call_that_waits_for_its_ack(self, sio: AsyncServer) -> None:
        @sio.on("leave")
        async def leave(sid: SID) -> None:
            await sio.disconnect(sid)
            await asyncio.sleep(60)

        async with SocketClient(sio) as client:
            with pytest.raises(ConnectionError, match="io server disconnect"):
                await client.call("leave")
