"""What a handler-writer may rely on; each class is one use of the server."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import socketio
from fastapi import Depends, HTTPException
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from src.core.injection import UnresolvableParameterError
from src.websockets.params import SID, Arguments, Auth, Environ, Event, Namespace, Reason, Server
from src.websockets.router import SocketRouter
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
    async def test_refuses_an_auth_payload_that_does_not_fit(
        self, sio: AsyncServer, connect: Connect, auth: Any
    ) -> None:
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

    async def test_keeps_the_words_of_python_socketios_own_refusal(self, sio: AsyncServer, connect: Connect) -> None:
        @sio.on("connect")
        async def handler() -> None:
            raise socketio.exceptions.ConnectionRefusedError("full", {"limit": 3})

        assert await self.refusal(connect) == {"message": "full", "data": {"limit": 3}}

    async def test_a_refusal_in_one_namespace_leaves_the_others_alone(self, sio: AsyncServer, connect: Connect) -> None:
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
    async def test_comes_before_the_server_shuts_down(self, sio: AsyncServer, connect: Connect) -> None:
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
    async def test_is_what_the_handler_returns(self, sio: AsyncServer, connect: Connect, result: Any, ack: Any) -> None:
        @sio.on("get")
        async def handler() -> Any:
            return result

        assert await (await connect()).call("get") == ack

    async def test_comes_after_the_commit(self, sio: AsyncServer, connect: Connect) -> None:
        async def transaction() -> AsyncIterator[None]:
            yield
            raise OSError("commit failed")

        @sio.on("save", dependencies=[Depends(transaction)])
        async def handler() -> str:
            return "saved"

        assert (await (await connect()).call("save"))["code"] == 1011


class TestEmit:
    async def test_call_takes_a_model_as_well(self, sio: AsyncServer, connect: Connect) -> None:
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

    async def test_the_server_is_there_for_rooms(self, sio: AsyncServer, connect: Connect) -> None:
        @sio.on("join")
        async def handler(room: str, sid: SID, server: Server) -> bool:
            await server.enter_room(sid, room)
            return room in server.rooms(sid)

        assert await (await connect()).call("join", "lobby") is True

    async def test_environ_is_there_in_every_event(self, sio: AsyncServer, connect: Connect) -> None:
        @sio.on("who")
        async def handler(environ: Environ) -> Any:
            return environ["HTTP_USER_AGENT"]

        assert await (await connect(headers={"User-Agent": "tests"})).call("who") == "tests"


class TestNamespaces:
    async def test_a_class_of_handlers_is_injected(self, sio: AsyncServer, connect: Connect) -> None:
        class Chat(socketio.AsyncNamespace):  # type: ignore[misc]  # its base is untyped
            async def on_send(self, message: Message, sid: SID, namespace: Namespace) -> list[str]:
                await self.emit("sent", message, to=sid)
                return [message.text, sid, namespace]

        sio.register_namespace(Chat("/chat"))
        peer = await connect(namespaces=["/chat"])
        assert await peer.call("send", {"text": "hi"}, "/chat") == ["hi", peer.client.get_sid("/chat"), "/chat"]
        assert await peer.next() == ("/chat", "sent", MESSAGE)

    async def test_a_class_that_dispatches_by_itself_stays_stock(self, sio: AsyncServer, connect: Connect) -> None:
        class Raw(socketio.AsyncNamespace):  # type: ignore[misc]  # its base is untyped
            async def trigger_event(self, event: str, *args: Any) -> Any:
                return [event, *args[1:]] if event == "send" else None

        sio.register_namespace(Raw("/raw"))
        assert await (await connect(namespaces=["/raw"])).call("send", "hi", "/raw") == ["send", "hi"]

    async def test_a_catch_all_event_is_injected(self, sio: AsyncServer, connect: Connect) -> None:
        @sio.on("*")
        async def handler(event: Event, arguments: Arguments, sid: SID) -> list[Any]:
            return [event, arguments, sid]

        peer = await connect()
        assert await peer.call("anything", ("a", 1)) == ["anything", ["a", 1], peer.client.get_sid()]

    async def test_a_catch_all_of_both_is_injected(self, sio: AsyncServer, connect: Connect) -> None:
        @sio.on("*", namespace="*")
        async def handler(event: Event, namespace: Namespace, data: str, sid: SID) -> list[str]:
            return [event, namespace, data, sid]

        sio.namespaces = "*"
        peer = await connect(namespaces=["/other"])
        sid = peer.client.get_sid("/other")
        assert await peer.call("anything", "a", "/other") == ["anything", "/other", "a", sid]

    async def test_an_event_in_a_catch_all_namespace_is_injected(self, sio: AsyncServer, connect: Connect) -> None:
        @sio.on("where", namespace="*")
        async def handler(namespace: Namespace) -> str:
            return namespace

        sio.namespaces = "*"
        assert await (await connect(namespaces=["/other"])).call("where", None, "/other") == "/other"


class TestRegistration:
    async def test_a_handler_given_to_on_stays_stock(self, sio: AsyncServer, connect: Connect) -> None:
        async def handler(sid, data):  # type: ignore[no-untyped-def]  # python-socketio's own style
            return [sid, data]

        sio.on("stock", handler)
        peer = await connect()
        assert await peer.call("stock", "a") == [peer.client.get_sid(), "a"]

    def test_a_decorated_function_is_handed_back(self) -> None:
        def handler() -> None: ...

        assert AsyncServer().on("a")(handler) is handler

    async def test_event_takes_the_functions_name(self, sio: AsyncServer, connect: Connect) -> None:
        @sio.event(namespace="/chat")
        async def send(text: str) -> str:
            return text

        assert await (await connect(namespaces=["/chat"])).call("send", "hi", "/chat") == "hi"

    def test_a_second_handler_of_one_event_is_refused(self) -> None:
        server = AsyncServer()
        server.on("a")(lambda: None)
        with pytest.raises(ValueError, match="'a' in '/' has a handler"):
            server.on("a")(lambda: None)

    def test_an_unresolvable_parameter_is_refused(self) -> None:
        with pytest.raises(UnresolvableParameterError, match="'sid'"):

            @AsyncServer().on("a")
            async def handler(sid, data: str) -> None: ...  # type: ignore[no-untyped-def]  # the point of the case

    def test_connect_takes_one_payload(self) -> None:
        with pytest.raises(UnresolvableParameterError, match="'environ'"):

            @AsyncServer().on("connect")
            async def handler(sid: str, environ: dict[str, Any]) -> None: ...

    def test_lists_events_with_what_they_depend_on(self) -> None:
        async def guard() -> None: ...

        router = SocketRouter(namespace="/chat", dependencies=[Depends(guard)])

        @router.on("send")
        async def handler() -> None: ...

        server = AsyncServer()
        server.include_router(router)
        [event] = server.registered_events()
        assert (event.namespace, event.name, event.handler) == ("/chat", "send", handler)
        assert event.plan.depends_on(guard)


class TestRouter:
    async def test_brings_its_namespace_and_its_dependencies(self, sio: AsyncServer, connect: Connect) -> None:
        log: list[str] = []

        async def guard(namespace: Namespace) -> None:
            log.append(namespace)

        router = SocketRouter(namespace="/chat", dependencies=[Depends(guard)])

        @router.event
        async def send() -> str:
            return "sent"

        sio.include_router(router)
        assert await (await connect(namespaces=["/chat"])).call("send", None, "/chat") == "sent"
        assert log == ["/chat"]

    def test_refuses_at_import_what_nobody_can_supply(self) -> None:
        with pytest.raises(UnresolvableParameterError):

            @SocketRouter().on("send")
            async def handler(reason: Reason) -> None: ...
