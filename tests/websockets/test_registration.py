"""Registration of handlers: by name, by class, by router, and as catch-all."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import socketio
from fastapi import Depends
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from src.core.injection import UnresolvableParameterError
from src.websockets.params import SID, Arguments, Event, Namespace, Reason
from src.websockets.router import SocketRouter
from src.websockets.server import AsyncServer
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

    async def test_a_class_that_overrides_trigger_event_gets_no_injection(
        self, sio: AsyncServer, connect: Connect
    ) -> None:
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
    async def test_a_handler_passed_to_on_gets_no_injection(self, sio: AsyncServer, connect: Connect) -> None:
        async def handler(sid, data):  # type: ignore[no-untyped-def]  # python-socketio's own style
            return [sid, data]

        sio.on("stock", handler)
        peer = await connect()
        assert await peer.call("stock", "a") == [peer.client.get_sid(), "a"]

    def test_a_decorated_function_is_returned(self) -> None:
        def handler() -> None: ...

        assert AsyncServer().on("a")(handler) is handler

    async def test_event_uses_the_functions_name(self, sio: AsyncServer, connect: Connect) -> None:
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

    def test_connect_has_one_payload(self) -> None:
        with pytest.raises(UnresolvableParameterError, match="'environ'"):

            @AsyncServer().on("connect")
            async def handler(sid: str, environ: dict[str, Any]) -> None: ...

    def test_lists_events_with_their_dependencies(self) -> None:
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
    async def test_adds_its_namespace_and_its_dependencies(self, sio: AsyncServer, connect: Connect) -> None:
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

    def test_refuses_an_unresolvable_parameter_at_import(self) -> None:
        with pytest.raises(UnresolvableParameterError):

            @SocketRouter().on("send")
            async def handler(reason: Reason) -> None: ...
