"""Chat rooms: membership, permissions, delivery and history."""

from uuid import UUID, uuid4

import pytest
from pymongo.errors import ServerSelectionTimeoutError

from src.crud.chat import ChatCRUD
from src.websockets.testing import SocketClient
from tests.support.people import People, Person
from tests.websockets.conftest import Visit

CODES = ["SOCKET:chat.join", "SOCKET:chat.leave", "SOCKET:chat.send", "SOCKET:chat.history"]


@pytest.fixture
def room() -> str:
    return f"room-{uuid4()}"


@pytest.fixture
async def person(people: People) -> Person:
    return await people.create(*CODES)


@pytest.fixture
async def member(person: Person, visit: Visit, room: str) -> SocketClient:
    """A client that has joined the room."""
    client = await visit(person)
    assert await client.call("chat.join", {"room": room}) == {"room": room}
    return client


class TestSending:
    async def test_all_members_receive_the_message_in_the_ack(
        self, member: SocketClient, people: People, visit: Visit, room: str, person: Person
    ) -> None:
        other = await visit(await people.create(*CODES))
        await other.call("chat.join", {"room": room})
        line = await member.call("chat.send", {"room": room, "text": "hello"})
        assert (line["room"], line["text"], line["user"]) == (room, "hello", str(person.user.id))
        assert await other.receive() == await member.receive() == ("chat.receive", line)

    async def test_other_clients_do_not_receive_it(
        self, member: SocketClient, people: People, visit: Visit, room: str
    ) -> None:
        other = await visit(await people.create(*CODES))
        await other.call("chat.join", {"room": f"{room}-next"})
        await member.call("chat.send", {"room": room, "text": "hello"})
        await other.call("chat.leave", {"room": f"{room}-next"})
        assert not other.waiting

    async def test_requires_membership(self, member: SocketClient, room: str) -> None:
        await member.call("chat.leave", {"room": room})
        refused = await member.call("chat.send", {"room": room, "text": "hello"})
        assert (refused["code"], refused["error"]) == (1008, "chat.not_joined")

    async def test_needs_its_permission(self, people: People, visit: Visit, room: str) -> None:
        client = await visit(await people.create("SOCKET:chat.join"))
        await client.call("chat.join", {"room": room})
        assert (await client.call("chat.send", {"room": room, "text": "hello"}))["error"] == "auth.permission_denied"

    @pytest.mark.parametrize("room", ["", "a b", "x" * 65, "\ud800", "null\0"])
    async def test_invalid_room_names_are_refused(self, person: Person, visit: Visit, room: str) -> None:
        client = await visit(person)
        assert (await client.call("chat.join", {"room": room}))["code"] == 1007

    async def test_messages_of_one_client_keep_their_order(self, member: SocketClient, room: str) -> None:
        for number in range(20):
            await member.emit("chat.send", {"room": room, "text": str(number)})
        assert [(await member.receive()).data["text"] for _ in range(20)] == [str(number) for number in range(20)]

    @pytest.mark.slow
    async def test_at_most_100_rooms_can_be_joined(self, person: Person, visit: Visit, room: str) -> None:
        client = await visit(person)
        for number in range(100):
            await client.call("chat.join", {"room": str(number)})
        assert (await client.call("chat.join", {"room": room}))["error"] == "chat.too_many_rooms"
        assert await client.call("chat.join", {"room": "5"}) == {"room": "5"}

    async def test_a_message_that_cannot_be_stored_is_not_sent(
        self, member: SocketClient, room: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def fail(*_: object) -> None:
            raise ServerSelectionTimeoutError

        monkeypatch.setattr(ChatCRUD, "create", fail)
        refused = await member.call("chat.send", {"room": room, "text": "hello"})
        assert (refused["code"], refused["error"]) == (4503, "service.unavailable")
        assert [event for event, _ in member.waiting] == ["error"]


class TestHistory:
    @pytest.fixture
    async def said(self, member: SocketClient, room: str) -> list[str]:
        """Five messages."""
        return [(await member.call("chat.send", {"room": room, "text": str(number)}))["id"] for number in range(5)]

    async def test_is_sorted_newest_first(self, member: SocketClient, room: str, said: list[str]) -> None:
        history = await member.call("chat.history", {"room": room})
        assert [line["id"] for line in history["records"]] == said[::-1]
        assert history["records"][0]["text"] == "4"
        assert history["before"] is None

    async def test_has_pages(self, member: SocketClient, room: str, said: list[str]) -> None:
        seen: list[str] = []
        before = None
        for _ in range(3):
            part = await member.call("chat.history", {"room": room, "limit": 2, "before": before})
            seen += [line["id"] for line in part["records"]]
            before = part["before"]
        assert seen == said[::-1]
        assert before is None

    async def test_survives_the_connection(
        self, person: Person, visit: Visit, room: str, said: list[str], member: SocketClient
    ) -> None:
        await member.disconnect()
        again = await visit(person)
        await again.call("chat.join", {"room": room})
        assert len((await again.call("chat.history", {"room": room}))["records"]) == 5

    async def test_of_another_room_is_separate(self, member: SocketClient, room: str, said: list[str]) -> None:
        await member.call("chat.join", {"room": f"{room}-next"})
        assert await member.call("chat.history", {"room": f"{room}-next"}) == {"records": [], "before": None}

    async def test_requires_membership(self, person: Person, visit: Visit, room: str, said: list[str]) -> None:
        outsider = await visit(person)
        assert (await outsider.call("chat.history", {"room": room}))["error"] == "chat.not_joined"

    @pytest.mark.parametrize("query", [{"limit": 0}, {"limit": 101}, {"before": "yesterday"}])
    async def test_refuses_invalid_queries(self, member: SocketClient, room: str, query: dict[str, object]) -> None:
        assert (await member.call("chat.history", {"room": room, **query}))["code"] == 1007

    async def test_ids_are_time_ordered(self, said: list[str]) -> None:
        assert {UUID(line).version for line in said} == {7}
