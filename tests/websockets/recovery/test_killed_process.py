"""Clients of a process that is killed recover, if they track offsets, as after a network failure."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from src.core.realtime.event_bus import EventBus
from src.websockets.recovery.session_store import SessionStore
from src.websockets.server import AsyncServer
from tests.support.waiting import eventually
from tests.websockets.recovery.conftest import PATH, Open, Wire, cut, dialing
from tests.websockets.recovery.test_stopped_process import Process, Talker, started

pytestmark = pytest.mark.process

Servers = list[tuple[AsyncServer, str]]
Connect = Callable[..., Awaitable[Wire]]


def bus_of(servers: Servers) -> EventBus:
    recovery = servers[0][0].recovery
    assert recovery
    return recovery.bus


def store_of(servers: Servers) -> SessionStore:
    recovery = servers[0][0].recovery
    assert recovery
    return recovery.store


async def kept(server: AsyncServer, wire: Wire) -> None:
    """Wait until the session is saved, as it is some milliseconds after its client has connected."""
    assert server.recovery
    redis: Any = server.recovery.bus.redis
    await eventually(lambda: redis.exists(f"socketio:connection:{wire.pid}"))


async def drain(wire: Wire) -> list[list[Any]]:
    """What has arrived when the connection ends."""
    events = []
    while (message := await wire.websocket.receive()).type is aiohttp.WSMsgType.TEXT:
        if message.data.startswith("42"):
            event = json.loads(message.data[2:])
            wire.offset = event.pop()
            events.append(event)
    return events


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Process]:
    """A process that listens to others."""
    async with aiohttp.ClientSession() as http, started(http, tmp_path / "process") as process:
        async with http.ws_connect(f"{process.url}{PATH}") as websocket:
            await Wire(websocket).open()
            await eventually(process.listens)
        yield process


@pytest.fixture
async def connect(running: Process) -> AsyncIterator[Connect]:
    """Connect to it."""
    async with dialing() as dial:

        async def connect(**auth: Any) -> Wire:
            wire = await dial(running.url)
            await wire.open(**auth)
            return wire

        yield connect


class TestRecovery:
    @pytest.mark.parametrize("events", [1, 20, 60])
    async def test_loses_repeats_and_reorders_nothing(
        self, servers: Servers, wire: Open, running: Process, connect: Connect, events: int
    ) -> None:
        room = secrets.token_hex(4)
        await wire(0)
        client = await connect()
        await client.call("join", room)
        await client.websocket.send_str(f"42{json.dumps(['talk', room])}")
        talker = Talker(servers[0][0], room)
        received = [await client.event() for _ in range(events)]
        await running.kill(bus_of(servers))
        received += await drain(client)
        again = await wire(1, pid=client.pid, offset=client.offset)
        assert (again.pid, again.sid) == (client.pid, client.sid)
        talker.is_done.set()
        await talker.task
        while received[-1] != ["news", -1]:
            received.append(await again.event())
        numbers = [number for event, number in received if event == "news"][:-1]
        assert numbers == [*range(numbers[0], numbers[0] + len(numbers))]
        own = [number for event, number in received if event == "own"]
        assert own == [*range(len(own))]

    async def test_of_a_quiet_client_works_with_its_rooms_of_the_last_moment(
        self, servers: Servers, wire: Open, running: Process, connect: Connect
    ) -> None:
        room = secrets.token_hex(4)
        client = await connect()
        await client.call("join", room)
        await running.kill(bus_of(servers))
        await servers[0][0].emit("news", "missed", room=room)
        again = await wire(1, pid=client.pid)
        assert again.pid == client.pid
        assert await again.event() == ["news", "missed"]

    async def test_works_again_after_a_network_failure(
        self, servers: Servers, wire: Open, running: Process, connect: Connect
    ) -> None:
        (first, _), (second, _) = servers
        client = await connect()
        await kept(first, client)
        await running.kill(bus_of(servers))
        await first.emit("news", 1, to=client.sid)
        again = await wire(1, pid=client.pid)
        assert await again.event() == ["news", 1]
        back = await cut(again, second)
        await first.emit("news", 2, to=client.sid)
        third = await wire(0, **back)
        assert (third.pid, await third.event()) == (client.pid, ["news", 2])

    async def test_happens_once(self, servers: Servers, wire: Open, running: Process, connect: Connect) -> None:
        client = await connect()
        await kept(servers[0][0], client)
        await running.kill(bus_of(servers))
        both = await asyncio.gather(*(wire(number, pid=client.pid) for number in (0, 1)))
        assert sorted(again.pid == client.pid for again in both) == [False, True]


class TestNoRecovery:
    async def test_of_clients_without_offsets(
        self, servers: Servers, wire: Open, running: Process, connect: Connect
    ) -> None:
        client = await connect(recover=False)
        await client.call("join", "lobby")
        await running.kill(bus_of(servers))
        assert (await wire(1, recover=False, pid=client.pid)).pid != client.pid

    async def test_while_the_process_lives(self, servers: Servers, wire: Open) -> None:
        (first, _), _ = servers
        client = await wire(0)
        await kept(first, client)
        assert (await wire(1, pid=client.pid)).pid != client.pid
        await first.emit("news", 1, to=client.sid)
        assert await client.event() == ["news", 1]
        assert (await wire(1, **await cut(client, first))).pid == client.pid

    async def test_for_an_unknown_offset(
        self, servers: Servers, wire: Open, running: Process, connect: Connect
    ) -> None:
        client = await connect()
        await client.call("join", "lobby")
        await running.kill(bus_of(servers))
        for offset in ("x", "1-2-3", "1700000000000-0123abcd-7", "1;0123abcd", ["x"], 5):
            assert (await wire(1, pid=client.pid, offset=offset)).pid != client.pid
        assert (await wire(1, pid=client.pid)).pid == client.pid


class TestEntering:
    """What the ack of an event promises that enters a room."""

    async def test_waits_until_the_room_is_saved(
        self, servers: Servers, wire: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store, may_write = store_of(servers), asyncio.Event()
        client = await wire(0)
        await kept(servers[0][0], client)
        write = store._write

        async def write_late(add: Any) -> Any:
            await may_write.wait()
            return await write(add)

        monkeypatch.setattr(store, "_write", write_late)
        joining = asyncio.create_task(client.call("join", "lobby"))
        await eventually(lambda: servers[0][0].rooms(client.sid).count("lobby"))
        assert not (await asyncio.wait([joining], timeout=0.1))[0]
        may_write.set()
        assert await joining == []

    async def test_works_while_another_room_is_being_saved(self, servers: Servers, wire: Open) -> None:
        client, entering = await wire(0), []
        await kept(servers[0][0], client)
        for room in ("1", "2", "3"):
            entering.append(asyncio.create_task(servers[0][0].enter_room(client.sid, room)))
            await asyncio.sleep(0)
        await asyncio.gather(*entering)
        assert {"1", "2", "3"} <= set(servers[0][0].rooms(client.sid))

    async def test_fails_if_the_room_cannot_be_saved(
        self, servers: Servers, wire: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client = await wire(0)
        await kept(servers[0][0], client)
        monkeypatch.setattr(store_of(servers), "_write", lambda _: asyncio.sleep(0))
        await client.websocket.send_str('421["join","lobby"]')
        packets = [await client.packet(), await client.packet()]
        assert [packet for packet in packets if packet.startswith("431") and "1011" in packet]
        assert "lobby" not in servers[0][0].rooms(client.sid)
        monkeypatch.undo()
        assert await client.call("join", "lobby") == []


class TestRenewal:
    async def test_extends_the_time_and_saves_what_redis_lost(self, servers: Servers, wire: Open) -> None:
        (first, _), _ = servers
        client, lost = await wire(0), await wire(0)
        assert first.recovery
        redis: Any = first.recovery.bus.redis
        for each in (client, lost):
            await kept(first, each)
        await redis.expire(f"socketio:connection:{client.pid}", 5)
        await redis.delete(f"socketio:connection:{lost.pid}")
        await first.recovery.store.renew(first.manager.delivery.sessions.values())
        for each in (client, lost):
            assert await redis.ttl(f"socketio:connection:{each.pid}") > 20
