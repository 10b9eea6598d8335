"""A strict server only sends declared events, with payloads of their declared types."""

import logging
from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from src.core.realtime.event_registry import UndeclaredEventError
from src.websockets.params import Server
from src.websockets.router import SocketRouter
from src.websockets.server import AsyncServer
from tests.websockets.conftest import Connect, Host


class Message(BaseModel):
    text: str


@pytest.fixture
def sio(host: Host, app: FastAPI) -> AsyncServer:
    server = AsyncServer(strict=True)
    host.app = server.asgi(app)
    return server


class TestStrictServer:
    @pytest.fixture(autouse=True)
    def _quiet(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.ERROR, "src.websockets.dispatch")

    async def test_sends_declared_events(self, sio: AsyncServer, connect: Connect) -> None:
        router = SocketRouter()

        @router.on("say", emits={"said": Message})
        async def handler(text: str, server: Server) -> None:
            await server.emit("said", Message(text=text))

        sio.include_router(router)
        peer = await connect()
        await peer.call("say", "hi")
        assert await peer.next() == ("/", "said", {"text": "hi"})

    @pytest.mark.parametrize(("event", "data"), [("said", {"text": 5}), ("sayed", {"text": "hi"})])
    async def test_fails_a_handler_that_sends_another_event_or_payload(
        self, sio: AsyncServer, connect: Connect, caplog: pytest.LogCaptureFixture, event: str, data: Any
    ) -> None:
        @sio.on("say", emits={"said": Message})
        async def handler() -> None:
            await sio.emit(event, data)

        assert (await (await connect()).call("say"))["code"] == 1011
        [record] = [record for record in caplog.records if record.name == "src.websockets.dispatch"]
        assert record.exc_info
        assert isinstance(record.exc_info[1], UndeclaredEventError)

    async def test_sends_events_declared_on_the_server(self, sio: AsyncServer, connect: Connect) -> None:
        sio.on("ask")(lambda: None)
        sio.declare_events({"news": list[Message]})
        peer = await connect()
        await sio.emit("news", [Message(text="hi")])
        assert await peer.next() == ("/", "news", [{"text": "hi"}])

    async def test_sends_errors(self, sio: AsyncServer, connect: Connect) -> None:
        @sio.on("say")
        async def handler(message: Message) -> None: ...

        peer = await connect()
        await peer.call("say", {})
        assert (await peer.next())[1] == "error"

    async def test_does_not_check_namespaces_without_injected_handlers(
        self, sio: AsyncServer, connect: Connect
    ) -> None:
        sio.on("ask", lambda sid: None, namespace="/stock")
        peer = await connect(namespaces=["/stock"])
        await sio.emit("anything", 5, namespace="/stock")
        assert await peer.next() == ("/stock", "anything", 5)


class TestAnyOtherServer:
    async def test_sends_any_event(self, connect: Connect, host: Host, app: FastAPI) -> None:
        sio = AsyncServer()
        host.app = sio.asgi(app)

        @sio.on("say", emits={"said": Message})
        async def handler() -> None:
            await sio.emit("sayed", 5)

        peer = await connect()
        await peer.call("say")
        assert await peer.next() == ("/", "sayed", 5)
        await sio.shutdown()
