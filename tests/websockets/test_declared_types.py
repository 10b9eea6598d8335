"""Declared types filter and validate what is sent, as a response model does in FastAPI."""

import json
import logging
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from src.core.config import settings
from src.core.realtime.event_bus import STREAM, EventBus, ReplaySettings
from src.core.realtime.event_registry import EventRegistry, UndeclaredEventError
from src.queues.emitter import RedisEmitter
from src.websockets.emitter import SocketEmitter
from src.websockets.server import AsyncServer
from tests.websockets.conftest import Connect, Host


class UserOut(BaseModel):
    name: str


class User(UserOut):
    hashed_password: str = "secret"


class FileOut(BaseModel):
    content: bytes


@dataclass
class Row:
    name: str
    hashed_password: str = "secret"


ANN = {"name": "Ann"}
CASES = [
    (UserOut, User(name="Ann"), ANN),
    (list[UserOut], [User(name="Ann")], [ANN]),
    (dict[str, UserOut], {"a": User(name="Ann")}, {"a": ANN}),
    (UserOut | None, User(name="Ann"), ANN),
    (UserOut, {"name": "Ann", "hashed_password": "secret"}, ANN),
    (list[UserOut], [Row("Ann")], [ANN]),
    (tuple[int, UserOut], (1, User(name="Ann")), (1, ANN)),
    (tuple[UserOut, bytes], (User(name="Ann"), b"\xff"), (ANN, b"\xff")),
    (dict[str, Any], {"file": b"\xff", "at": None}, {"file": b"\xff", "at": None}),
    (list[FileOut], [FileOut(content=b"\xff")], [{"content": b"\xff"}]),
    (None, None, None),
]
WRONG = [(UserOut, {"name": 5}), (list[UserOut], User(name="Ann")), (int, "one"), (None, "something")]


@pytest.fixture(autouse=True)
def _quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "src.websockets.dispatch")


class TestRow64Ack:
    @pytest.mark.parametrize(("declared", "result", "ack"), CASES)
    async def test_has_what_the_return_type_declares(
        self, sio: AsyncServer, connect: Connect, declared: Any, result: Any, ack: Any
    ) -> None:
        async def handler() -> Any:
            return result

        handler.__annotations__["return"] = declared
        sio.on("get")(handler)
        assert await (await connect()).call("get") == ack

    @pytest.mark.parametrize(("declared", "result"), WRONG)
    async def test_of_another_type_is_an_internal_error(
        self, sio: AsyncServer, connect: Connect, declared: Any, result: Any
    ) -> None:
        async def handler() -> Any:
            return result

        handler.__annotations__["return"] = declared
        sio.on("get")(handler)
        assert (await (await connect()).call("get"))["code"] == 1011

    async def test_may_be_a_model_with_bytes_as_may_the_payload(self, sio: AsyncServer, connect: Connect) -> None:
        @sio.on("double")
        async def handler(file: FileOut) -> FileOut:
            return FileOut(content=2 * file.content)

        assert await (await connect()).call("double", {"content": b"\xff"}) == {"content": b"\xff\xff"}

    async def test_without_a_return_type_is_the_result(self, sio: AsyncServer, connect: Connect) -> None:
        sio.on("get")(lambda: User(name="Ann"))
        assert await (await connect()).call("get") == {"name": "Ann", "hashed_password": "secret"}

    def test_of_a_type_that_has_no_schema_is_refused(self, sio: AsyncServer) -> None:
        class Opaque: ...

        with pytest.raises(TypeError, match=r"returns .*Opaque.*Any"):

            @sio.on("get")
            async def handler() -> Opaque:
                raise NotImplementedError


class TestRow64Event:
    @pytest.fixture
    def sio(self, host: Host, app: FastAPI) -> AsyncServer:
        server = AsyncServer()
        host.app = server.asgi(app)
        server.on("ask")(lambda: None)
        return server

    @pytest.mark.parametrize(("declared", "data", "sent"), CASES)
    async def test_has_what_its_declaration_says(
        self, sio: AsyncServer, connect: Connect, declared: Any, data: Any, sent: Any
    ) -> None:
        sio.declare_events({"news": declared})
        peer = await connect()
        await sio.emit("news", data)
        assert (await peer.next())[2] == (sent[0] if isinstance(sent, tuple) else sent)

    @pytest.mark.parametrize("strict", [True, False])
    async def test_of_a_subclass_is_filtered_in_every_environment(
        self, sio: AsyncServer, connect: Connect, strict: bool
    ) -> None:
        sio.strict = strict
        sio.declare_events({"news": list[UserOut]})
        peer = await connect()
        await sio.emit("news", [User(name="Ann")])
        assert (await peer.next())[2] == [ANN]

    @pytest.mark.parametrize(("declared", "data"), WRONG)
    async def test_with_another_payload_is_an_error_of_the_sender(
        self, sio: AsyncServer, declared: Any, data: Any
    ) -> None:
        sio.declare_events({"news": declared})
        with pytest.raises(UndeclaredEventError):
            await sio.emit("news", data)

    async def test_that_is_not_declared_is_sent_as_it_is(self, sio: AsyncServer, connect: Connect) -> None:
        peer = await connect()
        await sio.emit("news", User(name="Ann"))
        assert (await peer.next())[2] == {"name": "Ann", "hashed_password": "secret"}


class TestRow64EventOfAService:
    @pytest.mark.parametrize("strict", [True, False])
    def test_with_another_payload_is_an_error_before_the_commit(self, strict: bool) -> None:
        server = AsyncServer(strict=strict)
        server.on("ask")(lambda: None)
        server.declare_events({"news": UserOut})
        worker = RedisEmitter(settings.REDIS_DATABASE_URL, declared=EventRegistry({"news": UserOut}), strict=strict)
        for emitter in (SocketEmitter(server), worker):
            emitter.check("news", User(name="Ann"))
            with pytest.raises(UndeclaredEventError):
                emitter.check("news", {"name": 5})

    async def test_of_a_worker_has_what_its_declaration_says(self) -> None:
        async with aclosing(
            RedisEmitter(settings.REDIS_DATABASE_URL, ReplaySettings(seconds=30), EventRegistry({"news": UserOut}))
        ) as worker:
            await worker.emit("news", User(name="Ann"))
            bus = EventBus(settings.REDIS_DATABASE_URL)
            entries: Any = await bus.redis.xrevrange(STREAM, count=1)
            await bus.redis.aclose()
        assert json.loads(entries[0][1][b"message"])["data"] == [ANN]
