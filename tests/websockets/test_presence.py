"""Who is in a room, across processes; those of a killed process for a while."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI

from src.core.realtime import presence as stored
from src.core.realtime.event_bus import EventBus
from src.websockets.engine.overrides import RedisManager
from src.websockets.params import SID, Server
from src.websockets.presence import RoomPresence
from src.websockets.server import AsyncServer
from src.websockets.testing import SocketClient
from tests.support.people import People
from tests.support.waiting import eventually
from tests.websockets.conftest import Join, Visit
from tests.websockets.recovery.conftest import url

__all__ = ["url"]


def create(url: str) -> tuple[AsyncServer, Any]:
    bus = EventBus(url)
    presence = RoomPresence(bus, lambda auth: str(auth["name"]), lambda room: room.startswith("room:"))
    server = AsyncServer(presence=presence, client_manager=RedisManager(bus))

    @server.on("enter")
    async def enter(room: str, sid: SID, server: Server) -> None:
        await server.enter_room(sid, room)

    @server.on("leave")
    async def leave(room: str, sid: SID, server: Server) -> None:
        await server.leave_room(sid, room)

    return server, server.asgi(FastAPI())


@pytest.fixture
async def processes(url: str) -> AsyncIterator[list[tuple[AsyncServer, Any]]]:
    """Two servers that share nothing but Redis."""
    both = [create(url), create(url)]
    yield both
    for server, _ in both:
        await server.shutdown()


async def settle(server: AsyncServer, room: str, *members: str) -> None:
    async def agree() -> bool:
        return await server.members(room) == set(members)

    await eventually(agree)


@pytest.mark.slow
class TestMembers:
    async def test_are_those_of_all_processes(self, processes: Any) -> None:
        (first, one), (second, two) = processes
        async with SocketClient(one, auth={"name": "Ann"}) as ann, SocketClient(two, auth={"name": "Bob"}) as bob:
            await ann.call("enter", "room:1")
            await bob.call("enter", "room:1")
            for server in (first, second):
                await settle(server, "room:1", "Ann", "Bob")
            await bob.call("leave", "room:1")
            await settle(first, "room:1", "Ann")
        await settle(second, "room:1")

    async def test_count_once_whatever_their_connections(self, processes: Any) -> None:
        (first, one), (second, _) = processes
        async with SocketClient(one, auth={"name": "Ann"}) as ann:
            async with SocketClient(one, auth={"name": "Ann"}) as again:
                await ann.call("enter", "room:2")
                await again.call("enter", "room:2")
            await asyncio.sleep(0.05)
            for server in (first, second):
                assert await server.members("room:2") == {"Ann"}

    async def test_of_other_rooms_are_not_recorded(self, processes: Any) -> None:
        (first, one), _ = processes
        async with SocketClient(one, auth={"name": "Ann"}) as ann:
            await ann.call("enter", "other")
            assert await first.members("other") == set()

    async def test_of_a_killed_process_are_gone_after_a_time(
        self, processes: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (first, one), (second, _) = processes
        monkeypatch.setattr(stored, "LIFETIME_SECONDS", 1)
        async with SocketClient(one, auth={"name": "Ann"}) as ann:
            await ann.call("enter", "room:3")
            await first.presence.flush()
            assert await second.members("room:3") == {"Ann"}
            await settle(second, "room:3")  # nobody renews her

    async def test_are_renewed(self, processes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        (_, one), (second, _) = processes
        monkeypatch.setattr(stored, "LIFETIME_SECONDS", 1)
        monkeypatch.setattr("src.websockets.presence.LIFETIME_SECONDS", 0.3)
        async with SocketClient(one, auth={"name": "Ann"}) as ann:
            await ann.call("enter", "room:4")
            await asyncio.sleep(1.5)
            assert await second.members("room:4") == {"Ann"}

    async def test_of_a_stopped_process_are_gone(self, processes: Any) -> None:
        (first, one), (second, _) = processes
        async with SocketClient(one, auth={"name": "Ann"}) as ann:
            await ann.call("enter", "room:5")
            await settle(second, "room:5", "Ann")
            await first.shutdown()
            assert await second.members("room:5") == set()

    async def test_are_not_renewed_once_the_process_has_stopped(self, processes: Any) -> None:
        (first, one), _ = processes
        before = asyncio.all_tasks()
        async with SocketClient(one, auth={"name": "Ann"}) as ann:
            await ann.call("enter", "room:6")
            await first.shutdown()

        def renewals() -> list[Any]:
            tasks = asyncio.all_tasks() - before
            return [task for task in tasks if "RoomPresence.keep" in str(task.get_coro())]

        await eventually(lambda: not renewals())

    async def test_need_a_server_that_records_them(self) -> None:
        with pytest.raises(RuntimeError, match="presence"):
            await AsyncServer().members("room:7")


class TestChat:
    async def test_lists_the_users_in_a_room(self, people: People, visit: Visit, join: Join) -> None:
        codes = "SOCKET:chat.join", "SOCKET:chat.members"
        ann, bob = [await people.create(*codes) for _ in range(2)]
        here, there = await visit(ann), await join(bob)
        assert (await here.call("chat.members", {"room": "a"}))["error"] == "chat.not_joined"
        await here.call("chat.join", {"room": "a"})
        await there.call("chat.join", {"room": "a"})
        users = sorted([str(ann.user.id), str(bob.user.id)])

        async def agree() -> bool:
            return bool(await there.call("chat.members", {"room": "a"}) == {"room": "a", "users": users})

        await eventually(agree)
