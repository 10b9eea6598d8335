"""One test for each defect of a first version; annotations are postponed, which was one of them."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any

import pytest
from fastapi import Depends, Header, HTTPException
from pydantic import BaseModel, Field, StringConstraints

from src.core.config import settings
from src.core.injection import UnresolvableParameterError
from src.websockets.app import create_server
from src.websockets.params import SID, Environ, Reason
from src.websockets.server import AsyncServer
from tests.support.waiting import PATIENCE_SECONDS
from tests.websockets.conftest import Connect, Peer


class Login(BaseModel):
    token: str


class Message(BaseModel):
    text: str
    sent_at: datetime = datetime(2026, 1, 2, tzinfo=UTC)


MESSAGE = {"text": "hi", "sent_at": "2026-01-02T00:00:00Z"}


class Page:
    """A class as dependency."""

    def __init__(self, sid: SID) -> None:
        self.sid = sid


@pytest.mark.parametrize("auth", [None, {"wrong": 1}, "text", {"token": "no"}])
async def test_defect_1_connect_can_refuse_and_a_refused_client_runs_nothing(
    sio: AsyncServer, connect: Connect, auth: Any
) -> None:
    ran: list[str] = []

    @sio.on("connect", namespace="/private")
    async def handler(auth: Login) -> bool:
        return auth.token == "yes"

    @sio.on("work", namespace="/private")
    async def work() -> None:
        ran.append("work")

    @sio.on("ping")
    async def ping() -> str:
        return "pong"

    peer = await connect(auth=auth, namespaces=["/", "/private"], wait=False)
    assert (await peer.next())[1] == "connect_error"
    await peer.client.eio.send('2/private,["work"]')
    assert await peer.call("ping") == "pong"
    assert ran == []


async def test_defect_2_an_error_rolls_back_and_every_teardown_runs(sio: AsyncServer, connect: Connect) -> None:
    log: list[str] = []

    async def transaction() -> AsyncIterator[None]:
        log.append("begin")
        try:
            yield
            log.append("commit")
        except Exception:
            log.append("rollback")
            raise
        finally:
            log.append("close")

    async def broken() -> AsyncIterator[None]:
        try:
            yield
        finally:
            raise OSError("teardown failed")

    @sio.on("save", dependencies=[Depends(transaction), Depends(broken)])
    async def save() -> None:
        raise LookupError

    assert (await (await connect()).call("save"))["code"] == 1011
    assert log == ["begin", "rollback", "close"]


async def test_defect_3_a_header_is_never_taken_from_the_payload(sio: AsyncServer, connect: Connect) -> None:
    async def agent(user_agent: Annotated[str, Header()]) -> str:
        return user_agent

    @sio.on("who")
    async def handler(claim: str, agent: str = Depends(agent)) -> list[str]:
        return [claim, agent]

    peer = await connect(headers={"User-Agent": "tests"})
    assert await peer.call("who", "admin") == ["admin", "tests"]


@pytest.mark.parametrize("fault", ["type", "validation"])
async def test_defect_4_errors_of_the_handler_are_not_blamed_on_the_client(
    sio: AsyncServer, connect: Connect, fault: str
) -> None:
    @sio.on("fail")
    async def handler(message: Message) -> Any:
        return 1 + message.text if fault == "type" else Message.model_validate({})  # type: ignore[operator]  # the point

    assert (await (await connect()).call("fail", {"text": "x"}))["code"] == 1011


async def test_defect_5_every_event_has_its_ack(sio: AsyncServer, connect: Connect) -> None:
    @sio.on("ok")
    async def ok() -> dict[str, int]:
        return {"ok": 1}

    @sio.on("broken")
    async def broken() -> None:
        raise RuntimeError

    @sio.on("missing")
    async def missing() -> None:
        raise HTTPException(404, "No such thing.")

    peer = await connect()
    assert await peer.call("ok") == {"ok": 1}
    assert (await peer.call("broken"))["code"] == 1011
    assert (await peer.call("missing"))["code"] == 4404


async def test_defect_6_an_error_goes_to_the_events_own_namespace(sio: AsyncServer, connect: Connect) -> None:
    @sio.on("send", namespace="/chat")
    async def handler(message: Message) -> None: ...

    peer = await connect(namespaces=["/", "/chat"])
    await peer.client.emit("send", {}, namespace="/chat")
    namespace, event, body = await peer.next()
    assert (namespace, event, body["code"]) == ("/chat", "error", 1007)


async def test_defect_7_disconnect_gets_session_id_reason_and_environ(sio: AsyncServer, connect: Connect) -> None:
    seen: asyncio.Queue[tuple[str, str, str]] = asyncio.Queue()

    @sio.on("disconnect")
    async def handler(sid: SID, reason: Reason, environ: Environ) -> None:
        seen.put_nowait((sid, reason, environ["HTTP_USER_AGENT"]))

    with pytest.raises(UnresolvableParameterError, match="disconnect has no payload"):

        @sio.on("disconnect", namespace="/other")
        async def unmarked(sid: str) -> None: ...

    peer = await connect(headers={"User-Agent": "tests"})
    sid = peer.client.get_sid()
    await peer.client.eio.send("1")
    assert await asyncio.wait_for(seen.get(), PATIENCE_SECONDS) == (sid, "client disconnect", "tests")


async def test_defect_8_the_admin_ui_can_instrument_the_server(sio: AsyncServer, connect: Connect) -> None:
    admin = sio.instrument(auth=False, mode="production", namespace="/admin")
    try:
        peer = await connect(namespaces=["/admin"])
        assert (await peer.next())[:2] == ("/admin", "config")
    finally:
        admin.uninstrument()


async def test_defect_9_arguments_are_those_that_are_declared(sio: AsyncServer, connect: Connect) -> None:
    @sio.on("move")
    async def handler(message: Message, count: int) -> list[Any]:
        return [message.text, count]

    peer = await connect()
    assert await peer.call("move", ({"text": "hi"}, 2)) == ["hi", 2]
    assert (await peer.call("move", ({"text": "hi"}, 2, "extra")))["code"] == 1003
    assert (await peer.call("move", {"text": "hi"}))["code"] == 1003


async def test_defect_10_every_type_is_validated(sio: AsyncServer, connect: Connect) -> None:
    @sio.on("types")
    async def handler(
        page: Annotated[Page, Depends()],
        maybe: Message | None,
        many: list[int],
        number: Annotated[int, Field(gt=0)],
        name: Annotated[str, StringConstraints(max_length=3)],
    ) -> list[Any]:
        return [page.sid, maybe, many, number, name]

    peer = await connect()
    assert await peer.call("types", (None, [1, 2], 3, "abc")) == [peer.client.get_sid(), None, [1, 2], 3, "abc"]
    body = await peer.call("types", ({}, ["x"], 0, "abcd"))
    assert [error["field"] for error in body["errors"]] == ["maybe.text", "many.0", "number", "name"]


async def test_defect_11_synchronous_code_does_not_block_the_loop(sio: AsyncServer, connect: Connect) -> None:
    first, second = threading.Event(), threading.Event()

    def dependency() -> bool:
        return first.wait(3)

    @sio.on("slow")
    def slow(waited: bool = Depends(dependency)) -> list[bool]:
        return [waited, second.wait(3)]

    @sio.on("release")
    async def release(number: int) -> None:
        (first, second)[number].set()

    peer = await connect()
    running = asyncio.create_task(peer.call("slow"))
    await peer.call("release", 0)
    await peer.call("release", 1)
    assert await running == [True, True]


def test_defect_12_event_modules_are_imported_under_their_names() -> None:
    module = sys.modules["src.websockets.events.chat"]
    handlers = {event.name: event.handler for event in create_server(settings).registered_events()}
    assert handlers["chat.send"] is module.send


async def test_defect_13_no_signature_is_inspected_while_events_run(
    sio: AsyncServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    @sio.on("get")
    async def handler(message: Message, sid: SID) -> str:
        return message.text

    peer = await connect()
    reads: list[Any] = []
    monkeypatch.setattr("inspect.signature", reads.append)
    assert await peer.call("get", {"text": "hi"}) == "hi"
    assert reads == []


@pytest.mark.parametrize(
    ("data", "received"),
    [
        (Message(text="hi"), MESSAGE),
        ([Message(text="hi")], [MESSAGE]),
        ({"m": Message(text="hi")}, {"m": MESSAGE}),
    ],
)
async def test_defect_14_models_are_emitted_at_any_depth(
    sio: AsyncServer, connect: Connect, data: Any, received: Any
) -> None:
    peer: Peer = await connect()
    await sio.emit("news", data)
    assert await peer.next() == ("/", "news", received)
