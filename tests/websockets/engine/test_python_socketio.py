"""What python-socketio's own handlers and options do, they do here; options that are not supported are refused."""

from typing import Any

import aiohttp
import pytest
import socketio
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError, WebSocketException

from src.websockets.server import AsyncServer
from tests.websockets.conftest import Connect, Host

PATH = "/socket.io/?EIO=4&transport=websocket"


class TestConnectHandler:
    @pytest.mark.parametrize("packet", ["40", "40{}", "40null"])
    @pytest.mark.parametrize("kind", ["async", "sync", "class"])
    async def test_without_auth_is_called_with_session_id_and_environ(
        self, sio: AsyncServer, host: Host, packet: str, kind: str
    ) -> None:
        seen: list[tuple[str, Any]] = []

        async def connect(sid: str, environ: dict[str, Any]) -> None:
            seen.append((sid, environ["HTTP_USER_AGENT"]))

        def connect_sync(sid: str, environ: dict[str, Any]) -> None:
            seen.append((sid, environ["HTTP_USER_AGENT"]))

        class Chat(socketio.AsyncNamespace):  # type: ignore[misc]  # its base is untyped
            async def trigger_event(self, event: str, *args: Any) -> Any:
                return await super().trigger_event(event, *args)  # as python-socketio's own: no injection

            async def on_connect(self, sid: str, environ: dict[str, Any]) -> None:
                await connect(sid, environ)

        if kind == "class":
            sio.register_namespace(Chat("/"))
        else:
            sio.on("connect", connect if kind == "async" else connect_sync)
        async with (
            aiohttp.ClientSession(headers={"User-Agent": "tests"}) as http,
            http.ws_connect(f"{host.url}{PATH}") as websocket,
        ):
            await websocket.receive_str()
            await websocket.send_str(packet)
            accepted = await websocket.receive_str(timeout=3)
        assert accepted.startswith('40{"sid":"')
        assert seen == [(accepted.split('"')[3], "tests")]

    async def test_with_auth_gets_it(self, sio: AsyncServer, connect: Connect) -> None:
        seen: list[Any] = []

        async def handler(sid: str, environ: dict[str, Any], auth: Any) -> None:
            seen.append(auth)

        sio.on("connect", handler)
        await connect(auth={"token": "t"})
        assert seen == [{"token": "t"}]


class TestRefusal:
    @pytest.mark.parametrize("style", ["injected", "own"])
    async def test_by_the_builtin_error(self, sio: AsyncServer, connect: Connect, style: str) -> None:
        async def handler(*_: Any) -> None:
            raise ConnectionRefusedError

        async def injected() -> None:
            raise ConnectionRefusedError

        if style == "own":
            sio.on("connect", handler)
        else:
            sio.on("connect")(injected)
        _, event, body = await (await connect(wait=False)).next()
        assert (event, body) == ("connect_error", {"message": "Connection refused by server"})

    async def test_by_the_builtin_error_of_a_store_is_explained(
        self, host: Host, app: FastAPI, connect: Connect
    ) -> None:
        sio = AsyncServer(translate_error=lambda error: PermissionError() if isinstance(error, OSError) else None)
        host.app = sio.asgi(app)

        @sio.on("connect")
        async def handler() -> None:
            raise ConnectionRefusedError

        assert (await (await connect(wait=False)).next())[2]["data"]["code"] == 1011
        await sio.shutdown()


class TestFastAPIError:
    async def test_of_a_websocket_keeps_its_code_and_reason(self, sio: AsyncServer, connect: Connect) -> None:
        @sio.on("fail")
        async def handler() -> None:
            raise WebSocketException(1008, "No.")

        body = await (await connect()).call("fail")
        assert body == {"code": 1008, "event": "fail", "message": "No.", "data": None}

    async def test_of_validation_is_an_invalid_payload(self, sio: AsyncServer, connect: Connect) -> None:
        @sio.on("fail")
        async def handler() -> None:
            raise RequestValidationError([{"loc": ("body", "text"), "msg": "Field required", "type": "missing"}])

        body = await (await connect()).call("fail")
        assert (body["code"], body["data"]) == (1007, "text field required")
        assert body["errors"] == [{"field": "text", "message": "Field required", "type": "missing"}]


class TestAlwaysConnect:
    @pytest.fixture
    def sio(self, host: Host, app: FastAPI) -> AsyncServer:
        server = AsyncServer(always_connect=True)
        host.app = server.asgi(app)
        return server

    async def test_accepts_before_the_connect_handler_runs(self, sio: AsyncServer, connect: Connect) -> None:
        @sio.on("connect", namespace="/chat")
        async def handler() -> None:
            await sio.emit("news", 1, namespace="/chat")

        peer = await connect(namespaces=["/chat"])
        assert await peer.next() == ("/chat", "news", 1)

    async def test_disconnects_a_client_that_is_refused(self, sio: AsyncServer, host: Host) -> None:
        ran: list[str] = []

        @sio.on("connect")
        async def handler() -> bool:
            return False

        @sio.on("disconnect")
        async def disconnect() -> None:
            ran.append("disconnect")

        async with aiohttp.ClientSession() as http, http.ws_connect(f"{host.url}{PATH}") as websocket:
            await websocket.receive_str()
            await websocket.send_str("40")
            assert (await websocket.receive_str(timeout=3)).startswith('40{"sid":"')
            assert (await websocket.receive_str(timeout=3)).startswith('41{"message":"Connection Refused."')
        assert ran == []


class TestOptions:
    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            ({"async_mode": "aiohttp"}, "async_mode"),
            ({"async_handlers": False}, "ordered=True"),
            ({"serializer": "msgpack"}, "serializer"),
            ({"client_manager": socketio.AsyncManager()}, "LocalManager"),
            ({"unknown": 1}, "unknown"),
        ],
    )
    def test_that_are_not_supported_are_refused(self, options: dict[str, Any], reason: str) -> None:
        with pytest.raises((TypeError, ValueError), match=reason):
            AsyncServer(**options)

    @pytest.mark.parametrize("options", [{"async_mode": "asgi"}, {"async_handlers": True}, {"serializer": "default"}])
    def test_that_say_the_default_are_accepted(self, options: dict[str, Any]) -> None:
        assert AsyncServer(**options).async_mode == "asgi"
