"""Connects, disconnects, payloads, acks and emits, as the author of a handler sees them."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import socketio
from fastapi import Depends, HTTPException
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from src.websockets.params import SID, Auth, Environ, Reason, Server
from src.websockets.server import AsyncServer
from tests.support.waiting import eventually
from tests.websockets.conftest import Connect

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ID = UUID(int=7)


class Login(BaseModel):
    token: str


class Message(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    text: str
    sent_at: datetime = NOW


MESSAGE = {"text": "hi", "sentAt": "2026-01-02T00:00:00Z"}


class TestConnect:
    async def refusal(self, connect: Connect, **options: Any) -> Any:
        peer = await connect(wait=False, **options)
        _, event, body = await peer.next()
        assert event == "connect_error"
        return body

    @pytest.mark.parametrize("auth", [None, {"wrong": 1}, "text"])
    async def test_refuses_an_invalid_auth_payload(self, sio: AsyncServer, connect: Connect, auth: Any) -> None:
        @sio.on("connect")
        async def handler(auth: Login) -> None: ...

        body = await self.refusal(connect, auth=auth)
        assert body["data"]["code"] in (1003, 1007)
        assert body["data"]["event"] == "connect"

    async def test_passes_the_validated_auth_payload(self, sio: AsyncServer, connect: Connect) -> None:
        seen: list[Any] = []

        @sio.on("connect")
        async def handler(auth: Login, raw: Auth) -> None:
            seen.extend([auth, raw])

        await connect(auth={"token": "t"})
        assert seen == [Login(token="t"), {"token": "t"}]

    async def test_refuses_when_the_handler_returns_false(self, sio: AsyncServer, connect: Connect) -> None:
        @sio.on("connect")
        async def handler() -> bool:
            return False

        assert (await self.refusal(connect))["data"]["code"] == 1008

    async def test_refuses_with_the_error_body_when_the_handler_raises(
        self, sio: AsyncServer, connect: Connect
    ) -> None:
        @sio.on("connect")
        async def handler() -> None:
            raise HTTPException(401, "Who are you?")

        assert await self.refusal(connect) == {
            "message": "Who are you?",
            "data": {"code": 1008, "event": "connect", "message": "Who are you?", "data": None},
        }

    async def test_sends_the_arguments_of_python_socketios_refusal(self, sio: AsyncServer, connect: Connect) -> None:
        @sio.on("connect")
        async def handler() -> None:
            raise socketio.exceptions.ConnectionRefusedError("full", {"limit": 3})

        assert await self.refusal(connect) == {"message": "full", "data": {"limit": 3}}

    async def test_a_refusal_in_one_namespace_does_not_affect_others(self, sio: AsyncServer, connect: Connect) -> None:
        @sio.on("connect", namespace="/private")
        async def refuse() -> bool:
            return False

        @sio.on("ping")
        async def ping() -> str:
            return "pong"

        peer = await connect()
        await peer.client.eio.send("0/private,")
        assert await peer.call("ping") == "pong"


class TestDisconnect:
    async def test_runs_before_the_server_shuts_down(self, sio: AsyncServer, connect: Connect) -> None:
        reasons: list[str] = []

        @sio.on("disconnect")
        async def handler(reason: Reason) -> None:
            reasons.append(reason)

        peer = await connect()
        await sio.shutdown()
        await eventually(lambda: not peer.client.connected)
        assert reasons == ["server disconnect"]


class TestAck:
    @pytest.mark.parametrize(
        ("result", "ack"),
        [
            ({"ok": 1}, {"ok": 1}),
            (Message(text="hi"), MESSAGE),
            ([Message(text="hi")], [MESSAGE]),
            (
                {"at": NOW, "id": ID, "items": {Message(text="hi").text}},
                {"at": MESSAGE["sentAt"], "id": str(ID), "items": ["hi"]},
            ),
            (b"\xff\x00", b"\xff\x00"),
            (None, None),
            ((1, Message(text="hi")), (1, MESSAGE)),
        ],
    )
    async def test_is_the_handlers_result(self, sio: AsyncServer, connect: Connect, result: Any, ack: Any) -> None:
        @sio.on("get")
        async def handler() -> Any:
            return result

        assert await (await connect()).call("get") == ack

    async def test_is_sent_after_the_commit(self, sio: AsyncServer, connect: Connect) -> None:
        async def transaction() -> AsyncIterator[None]:
            yield
            raise OSError("commit failed")

        @sio.on("save", dependencies=[Depends(transaction)])
        async def handler() -> str:
            return "saved"

        assert (await (await connect()).call("save"))["code"] == 1011


class TestEmit:
    async def test_call_accepts_a_model(self, sio: AsyncServer, connect: Connect) -> None:
        peer = await connect()
        peer.client.on("ask", lambda data: data["text"])
        assert await sio.call("ask", Message(text="hi"), to=peer.client.get_sid()) == "hi"


class TestPayload:
    async def test_unmarked_parameters_are_the_events_arguments(self, sio: AsyncServer, connect: Connect) -> None:
        @sio.on("move")
        async def handler(message: Message, count: int, *, sid: SID) -> list[Any]:
            return [message.text, count, sid]

        peer = await connect()
        assert await peer.call("move", ({"text": "hi"}, 2)) == ["hi", 2, peer.client.get_sid()]

    async def test_binary_arguments_arrive_as_bytes(self, sio: AsyncServer, connect: Connect) -> None:
        @sio.on("upload")
        async def handler(data: bytes) -> int:
            return len(data)

        assert await (await connect()).call("upload", b"\xff\x00\xff") == 3

    async def test_the_server_is_injected_for_rooms(self, sio: AsyncServer, connect: Connect) -> None:
        @sio.on("join")
        async def handler(room: str, sid: SID, server: Server) -> bool:
            await server.enter_room(sid, room)
            return room in server.rooms(sid)

        assert await (await connect()).call("join", "lobby") is True

    async def test_environ_is_injected_in_every_event(self, sio: AsyncServer, connect: Connect) -> None:
        @sio.on("who")
        async def handler(environ: Environ) -> Any:
            return environ["HTTP_USER_AGENT"]

        assert await (await connect(headers={"User-Agent": "tests"})).call("who") == "tests"
