"""A client whose network failed recovers its rooms and missed events, on any process."""

import asyncio
import json
import secrets
from typing import Any

import pytest
from fastapi import FastAPI

from src.core.realtime.event_bus import EventBus
from src.queues.emitter import RedisEmitter
from src.websockets.engine.overrides import RedisManager
from src.websockets.params import SID, Server
from src.websockets.recovery import SessionRecovery
from src.websockets.server import AsyncServer
from src.websockets.testing import SocketClient
from tests.support.waiting import PATIENCE_SECONDS, eventually
from tests.websockets.conftest import serve
from tests.websockets.recovery.conftest import Open, cut, dialing, has_ended
from tests.websockets.recovery.recoverable import REPLAY, create


@pytest.mark.slow
class TestRecovery:
    async def test_replays_missed_events_on_another_process(self, servers: Any, wire: Open) -> None:
        (first, _), (second, _) = servers
        room = secrets.token_hex(4)
        client = await wire(0)
        await client.call("join", room)
        await first.emit("news", 1, room=room)
        assert await client.event() == ["news", 1]
        back = await cut(client, first)
        await first.emit("news", {"n": 2}, room=room)
        await second.emit("news", (3, b"raw"), room=room)
        await second.emit("news", "not here", room="elsewhere")
        again = await wire(1, **back)
        assert (again.sid, again.pid) == (client.sid, client.pid)
        assert await again.event() == ["news", {"n": 2}]
        assert (await again.event())[:2] == ["news", 3]
        assert await again.websocket.receive_bytes() == b"raw"
        await first.emit("news", 4, room=room)
        assert await again.event() == ["news", 4]

    async def test_replays_events_of_a_worker(self, servers: Any, wire: Open, url: str) -> None:
        client = await wire()
        back = await cut(client, servers[0][0])
        worker = RedisEmitter(url, REPLAY)
        await worker.emit("task.finished", {"id": 7}, room=client.sid)
        await worker.aclose()
        again = await wire(1, **back)
        assert await again.event() == ["task.finished", {"id": 7}]

    async def test_replays_events_that_were_sent_but_not_received(self, servers: Any, wire: Open) -> None:
        client = await wire()
        server = servers[0][0]
        await server.emit("news", 1, to=client.sid)
        assert await client.event() == ["news", 1]
        await server.emit("news", 2, to=client.sid)  # in the client's buffers when they are lost
        again = await wire(1, **await cut(client, server))
        assert await again.event() == ["news", 2]

    async def test_works_twice_in_a_row(self, servers: Any, wire: Open) -> None:
        client = await wire()
        (first, _), (second, _) = servers
        await first.emit("news", 1, to=client.sid)
        await client.event()
        again = await wire(1, **await cut(client, first))
        assert again.pid == client.pid
        again.offset = client.offset
        back = await cut(again, second)
        await first.emit("news", 2, to=client.sid)
        third = await wire(0, **back)
        assert third.pid == client.pid
        assert await third.event() == ["news", 2]

    async def test_survives_the_shutdown_of_a_process(self, servers: Any, wire: Open) -> None:
        (first, _), (second, _) = servers
        client = await wire()
        await client.call("join", "lobby")
        await first.shutdown()
        await second.emit("news", 1, room="lobby")
        again = await wire(1, pid=client.pid)
        assert again.pid == client.pid
        assert await again.event() == ["news", 1]

    async def test_does_not_repeat_events_sent_during_the_connect_handler(self, servers: Any, wire: Open) -> None:
        client = await wire()
        back = await cut(client, servers[0][0])
        second: AsyncServer = servers[1][0]

        @second.on("connect")
        async def connect(sid: SID, server: Server) -> None:
            await server.emit("news", 1, to=sid)

        async with dialing() as dial:
            again = await dial(servers[1][1])
            await again.websocket.receive_str()
            await again.websocket.send_str(f"40{json.dumps({'recover': True, **back})}")
            packets = [await again.packet(), await again.packet()]
            assert [packet[:2] for packet in packets] == ["40", "42"]  # live events wait for the missed ones
            await second.emit("news", 2, to=client.sid)
            assert json.loads((await again.packet())[2:])[:2] == ["news", 2]

    async def test_of_a_client_that_never_got_an_event_from_a_trimmed_stream(self, servers: Any, wire: Open) -> None:
        (first, _), _ = servers
        client = await wire()
        for number in range(REPLAY.messages + 200):  # Redis trims by whole nodes of 100
            await first.emit("news", number, room="elsewhere")
        await asyncio.sleep(2)  # for the difference of the clocks
        back = await cut(client, first)
        await first.emit("news", "missed", to=client.sid)
        again = await wire(1, **back)
        assert (again.pid, await again.event()) == (client.pid, ["news", "missed"])

    async def test_replays_events_of_a_room_since_the_client_joined_it(self, servers: Any, wire: Open) -> None:
        (first, _), _ = servers
        client = await wire()
        await first.emit("news", "before", room="a")
        await asyncio.sleep(0.005)  # the stream counts milliseconds
        await client.call("join", "a")
        back = await cut(client, first)
        await first.emit("news", "after", room="a")
        again = await wire(**back)
        assert (again.pid, await again.event()) == (client.pid, ["news", "after"])

    async def test_while_sessions_of_others_cannot_be_saved(
        self, servers: Any, wire: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client, other, store = await wire(0), await wire(1), servers[1][0].recovery.store
        await client.call("join", "lobby")
        back = await cut(client, servers[0][0])
        monkeypatch.setattr(store, "_save", lambda _: asyncio.sleep(0, False))
        store.mark(servers[1][0].manager.delivery.sessions[other.sid])
        again = await wire(1, **back)
        assert again.pid == client.pid
        assert "lobby" in servers[1][0].rooms(again.sid)


class TestBurst:
    """Much at once is no outage."""

    async def test_of_events_is_received_and_recovered_in_order(self, servers: Any, wire: Open) -> None:
        (first, _), _ = servers
        client, away = await wire(1), await wire(0)
        back = await cut(away, first)
        await asyncio.gather(*(first.emit("news", number, to=[client.sid, away.sid]) for number in range(300)))
        again = await wire(0, **back)
        for each in (client, again):
            assert [(await each.event())[1] for _ in range(300)] == [*range(300)]

    async def test_of_clients_recovers_all(self, url: str) -> None:
        server = create(url)
        app = server.asgi(FastAPI())
        clients = [SocketClient(app, auth={"recover": True}, timeout=PATIENCE_SECONDS) for _ in range(200)]
        for client in clients:
            await client.__aenter__()
        await asyncio.gather(*(client.cut() for client in clients))
        again = [
            SocketClient(app, auth={"recover": True, "pid": client.opened["pid"]}, timeout=PATIENCE_SECONDS)
            for client in clients
        ]
        await asyncio.gather(*(client.__aenter__() for client in again))
        assert [client.opened["pid"] for client in again] == [client.opened["pid"] for client in clients]
        await server.shutdown()


class TestWithoutOffsets:
    """Recovery of clients that do not request offsets."""

    async def test_replays_events_since_the_failure(self, servers: Any, wire: Open) -> None:
        (first, _), (second, _) = servers
        client = await wire(0, recover=False)
        await client.call("join", "a")
        await first.emit("news", "text", room="a")
        assert await client.event() == ["news", "text"]
        back = await cut(client, first)
        await first.emit("news", "missed", room="a")
        again = await wire(
            1, recover=False, **back, offset="text"
        )  # the JavaScript client takes any text for an offset
        assert (again.sid, again.pid) == (client.sid, client.pid)
        assert await again.event() == ["news", "missed"]
        await second.emit("news", "later", room="a")
        assert await again.event() == ["news", "later"]

    async def test_repeats_events_that_may_have_been_lost_before_a_timeout(self, servers: Any, wire: Open) -> None:
        (first, _), _ = servers
        first.eio.ping_interval, first.eio.ping_timeout = 0.5, 0.1
        client = await wire(0, recover=False)
        await first.emit("news", "unheard", to=client.sid)
        await eventually(lambda: has_ended(first.recovery.bus.redis, client.pid))  # it answers no ping
        again = await wire(1, recover=False, pid=client.pid)
        assert again.pid == client.pid
        assert await again.event() == ["news", "unheard"]

    async def test_needs_no_auth(self, url: str) -> None:
        bus = EventBus(url, REPLAY)
        server = AsyncServer(recovery=SessionRecovery(bus), client_manager=RedisManager(bus))

        @server.on("connect")
        async def connect() -> None: ...

        async with dialing() as dial, serve(server.asgi(FastAPI()), lifespan="off") as address:
            client, again = await dial(address), await dial(address)
            await client.websocket.receive_str()
            await client.websocket.send_str("40")
            client.pid = json.loads((await client.packet())[2:])["pid"]
            await cut(client, server)
            await again.websocket.receive_str()
            await again.websocket.send_str(f'40{{"pid": "{client.pid}"}}')
            assert json.loads((await again.packet())[2:])["pid"] == client.pid
            await server.shutdown()
