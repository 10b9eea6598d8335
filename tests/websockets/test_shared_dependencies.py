"""Dependencies of REST routes work unchanged in events."""

from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from fastapi.security import OAuth2PasswordBearer
from starlette.requests import HTTPConnection

from src.websockets.server import AsyncServer
from tests.websockets.conftest import Connect

Token = Annotated[str, Depends(OAuth2PasswordBearer(tokenUrl="login"))]


class TestIdentity:
    @pytest.mark.parametrize("transports", [["websocket"], ["polling"]])
    async def test_the_auth_token_is_the_bearer_token(
        self, sio: AsyncServer, connect: Connect, transports: list[str]
    ) -> None:
        @sio.on("who")
        async def handler(token: Token) -> str:
            return token

        peer = await connect(auth={"token": "abc"}, headers={"Authorization": "Bearer old"}, transports=transports)
        assert await peer.call("who") == "abc"

    async def test_the_token_is_there_during_connect(self, sio: AsyncServer, connect: Connect) -> None:
        seen: list[str] = []

        @sio.on("connect")
        async def handler(token: Token) -> None:
            seen.append(token)

        await connect(auth={"token": "abc"})
        assert seen == ["abc"]

    @pytest.mark.parametrize("auth", [None, {"token": 5}, {"token": "bad\u00e9"}, "abc"])
    async def test_without_a_token_the_event_is_denied(self, sio: AsyncServer, connect: Connect, auth: Any) -> None:
        @sio.on("who")
        async def handler(token: Token) -> str:
            return token

        assert (await (await connect(auth=auth)).call("who"))["code"] == 1008

    async def test_a_second_connect_packet_does_not_change_it(self, sio: AsyncServer, connect: Connect) -> None:
        @sio.on("who")
        async def handler(token: Token) -> str:
            return token

        peer = await connect(auth={"token": "mine"})
        await peer.client.eio.send('0{"token":"stolen"}')
        assert await peer.call("who") == "mine"

    async def test_a_subclass_can_map_auth_differently(self, host: Any, sio: AsyncServer, connect: Connect) -> None:
        class ByTicket(AsyncServer):
            def authorization(self, auth: Any) -> str | None:
                return f"Bearer ticket-{auth['ticket']}"

        server = ByTicket()

        @server.on("who")
        async def handler(token: Token) -> str:
            return token

        host.app = server.asgi(FastAPI())
        assert await (await connect(auth={"ticket": 7})).call("who") == "ticket-7"

    async def test_a_mapping_that_fails_is_an_internal_error(
        self, host: Any, sio: AsyncServer, connect: Connect
    ) -> None:
        class Broken(AsyncServer):
            def authorization(self, auth: Any) -> str | None:
                raise LookupError

        server = Broken()

        @server.on("who")
        async def handler(token: Token) -> str:
            return token

        host.app = server.asgi(FastAPI())
        assert (await (await connect()).call("who"))["code"] == 1011


class TestScope:
    async def test_names_the_event(self, sio: AsyncServer, connect: Connect) -> None:
        async def code(connection: HTTPConnection) -> str:
            return f"SOCKET:{connection.scope['socket_event']}"

        @sio.on("chat.send", dependencies=[])
        async def handler(code: Annotated[str, Depends(code)]) -> str:
            return code

        assert await (await connect()).call("chat.send") == "SOCKET:chat.send"

    async def test_holds_the_application_and_its_state(self, app: FastAPI, sio: AsyncServer, connect: Connect) -> None:
        app.state.name = "product"

        @sio.on("name")
        async def handler(request: Request) -> Any:
            return request.app.state.name

        assert await (await connect()).call("name") == "product"

    async def test_looks_like_an_http_request(self, sio: AsyncServer, connect: Connect) -> None:
        @sio.on("url")
        async def handler(request: Request) -> list[str]:
            return [request.method, request.url.scheme, request.url.path]

        assert await (await connect()).call("url") == ["GET", "http", "/socket.io/"]


class TestOverrides:
    async def test_of_the_application_are_honoured(self, app: FastAPI, sio: AsyncServer, connect: Connect) -> None:
        async def user(x_user: Annotated[str | None, Header()] = None) -> str:
            raise HTTPException(401)

        @sio.on("who")
        async def handler(user: Annotated[str, Depends(user)]) -> str:
            return user

        peer = await connect()
        app.dependency_overrides[user] = lambda: "stand-in"
        assert await peer.call("who") == "stand-in"
        app.dependency_overrides.clear()
        assert (await peer.call("who"))["code"] == 1008
