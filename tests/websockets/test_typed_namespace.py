"""Type checkers know the events of a namespace, their payloads and their acks.

mypy checks this file as well: it reports a type that `assert_type` denies, and an `ignore` of what is no error.
"""

from collections.abc import AsyncIterator, Sequence
from typing import assert_type
from uuid import uuid4

import pytest
from pydantic import BaseModel

from src.main import server as product
from src.schemas.chat import ChatMessage, ChatReceived, ChatRoom
from src.websockets.errors import ErrorBody
from src.websockets.events import chat as chat_events
from src.websockets.events import ops as ops_events
from src.websockets.params import SID, Server
from src.websockets.router import SocketRouter
from src.websockets.server import AsyncServer
from src.websockets.testing import EventError, SocketClient, TypedNamespace
from tests.support.people import People
from tests.websockets.conftest import Visit


class Position(BaseModel):
    x: int
    y: int


class Moved(BaseModel):
    player: str
    position: Position


board = SocketRouter(namespace="/board")


@board.on("move", emits={"moved": Moved})
async def move(position: Position, sid: SID, server: Server) -> Moved:
    moved = Moved(player="Ann", position=position)
    await server.emit("moved", moved, to=sid, namespace="/board")
    return moved


@board.on("count")
def count(values: Sequence[int] = ()) -> int:
    return len(values)


@board.on("leave")
async def leave(sid: SID, reason: str) -> str:
    return reason


async def elsewhere(name: str) -> str:
    return name


@pytest.fixture
async def ann() -> AsyncIterator[TypedNamespace]:
    server = AsyncServer()
    server.include_router(board)
    server.on("elsewhere")(elsewhere)
    async with SocketClient(server, namespace="/board") as client:
        yield TypedNamespace(client, server)
    await server.shutdown()


class TestCorrectUses:
    async def test_the_ack_has_the_type_that_the_handler_returns(self, ann: TypedNamespace) -> None:
        moved = assert_type(await ann.call(move, Position(x=1, y=2)), Moved)
        assert moved == Moved(player="Ann", position=Position(x=1, y=2))

    async def test_handlers_may_be_synchronous(self, ann: TypedNamespace) -> None:
        assert assert_type(await ann.call(count, [1, 2]), int) == 2

    async def test_an_event_of_the_server_has_its_declared_type(self, ann: TypedNamespace) -> None:
        await ann.emit(move, Position(x=1, y=2))
        assert assert_type(await ann.receive(Moved), Moved).position.y == 2

    async def test_the_products_events(self, people: People, visit: Visit) -> None:
        person = await people.create("SOCKET:chat.join", "SOCKET:chat.send")
        chat, room = TypedNamespace(await visit(person), product), f"room-{uuid4()}"
        assert_type(await chat.call(chat_events.join, ChatRoom(room=room)), ChatRoom)
        line = assert_type(await chat.call(chat_events.send, ChatMessage(room=room, text="hello")), ChatReceived)
        assert line.user == person.user.id
        assert await chat.receive(ChatReceived) == line
        with pytest.raises(EventError, match=r"runs\.watch: 1008"):
            assert_type(await chat.call(ops_events.watch, True), None)
        assert (await chat.receive(ErrorBody))["code"] == 1008


class TestIncorrectUses:
    async def test_a_wrong_event(self, ann: TypedNamespace) -> None:
        with pytest.raises(AttributeError):
            await ann.call(chat_events.shout, ChatRoom(room="a"))  # type: ignore[attr-defined]

    async def test_a_wrong_payload(self, ann: TypedNamespace) -> None:
        with pytest.raises(EventError, match="move: 1007 y field required"):
            await ann.call(move, {"x": 1})  # type: ignore[arg-type]
        with pytest.raises(EventError, match="count: 1007"):
            await ann.call(count, "ab")  # type: ignore[arg-type]

    async def test_a_missing_payload(self, ann: TypedNamespace) -> None:
        with pytest.raises(TypeError):
            await ann.call(move)  # type: ignore[call-overload]

    async def test_a_wrong_ack(self, ann: TypedNamespace) -> None:
        with pytest.raises(AttributeError):
            (await ann.call(move, Position(x=1, y=2))).x  # type: ignore[attr-defined]  # noqa: B018 - read alone

    async def test_an_event_of_another_type(self, ann: TypedNamespace) -> None:
        await ann.emit(move, Position(x=1, y=2))
        with pytest.raises(LookupError, match="'moved', which is not declared as"):
            await ann.receive(Position)

    async def test_an_event_of_another_namespace(self, ann: TypedNamespace) -> None:
        with pytest.raises(LookupError, match="handles no event of '/board'"):
            await ann.call(elsewhere, "a")

    async def test_a_payload_behind_others(self, ann: TypedNamespace) -> None:
        with pytest.raises(LookupError, match="not its first parameter"):
            await ann.call(leave, "a")
