"""A client whose network broke comes back to its rooms, in whatever process, and gets what it missed."""

import asyncio
import json
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from fastapi import FastAPI

from src.core.realtime.event_bus import STREAM, EventBus, ReplaySettings
from src.queues.emitter import RedisEmitter
from src.websockets.engine.overrides import RedisManager
from src.websockets.params import SID, Server
from src.websockets.recovery import RecoverableSession, SessionRecovery
from src.websockets.recovery.stream_reader import StreamReader
from src.websockets.server import AsyncServer
from tests.support.proxy import proxied
from tests.support.waiting import PATIENCE_SECONDS, eventually
from tests.websockets.conftest import serve

REPLAY = ReplaySettings(seconds=30, messages=1000)


class Wire:
    """The protocol by hand: what the JavaScript client sends by itself."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self.websocket = websocket
        self.sid = self.pid = ""
        self.tracks_offset = True
        self.offset: str | None = None

    async def open(self, **auth: Any) -> dict[str, Any]:
        await self.websocket.receive_str()
        auth = {"recover": True, **auth}
        self.tracks_offset = auth["recover"]
        await self.websocket.send_str(f"40{json.dumps(auth)}")
        answer: dict[str, Any] = json.loads((await self.packet())[2:])
        self.sid, self.pid = answer["sid"], answer.get("pid", "")
        return answer

    async def packet(self) -> str:
        return await asyncio.wait_for(self.websocket.receive_str(), PATIENCE_SECONDS)

    async def event(self) -> list[Any]:
        """The next event without its offset, which is noted."""
        packet = await self.packet()
        event: list[Any] = json.loads(packet[packet.index("[") :])
        if self.tracks_offset and self.pid:
            self.offset = event.pop()
        return event

    async def call(self, *event: Any) -> Any:
        await self.websocket.send_str(f"421{json.dumps(event)}")
        answer = await self.packet()
        assert answer.startswith("431"), answer
        return json.loads(answer[3:])


Open = Callable[..., Awaitable[Wire]]


def create(url: str, replay: ReplaySettings = REPLAY) -> AsyncServer:
    bus = EventBus(url, replay)
    server = AsyncServer(
        recovery=SessionRecovery(bus, lambda auth: str(auth.get("user"))), client_manager=RedisManager(bus)
    )

    @server.on("join")
    async def join(room: str, sid: SID, server: Server) -> None:
        await server.enter_room(sid, room)

    return server


@pytest.fixture
def url() -> str:
    return os.environ["REDIS_DATABASE_URL"]


@pytest.fixture
async def servers(url: str) -> AsyncIterator[list[tuple[AsyncServer, str]]]:
    """Two servers that share nothing but Redis, with their addresses."""
    first, second = create(url), create(url)
    async with (
        serve(first.asgi(FastAPI()), lifespan="off") as one,
        serve(second.asgi(FastAPI()), lifespan="off") as two,
    ):
        yield [(first, one), (second, two)]
        await first.shutdown()
        await second.shutdown()


@pytest.fixture
async def wire(servers: list[tuple[AsyncServer, str]]) -> AsyncIterator[Open]:
    async with aiohttp.ClientSession() as http:

        async def connect(number: int = 0, **auth: Any) -> Wire:
            server, url = servers[number]
            wire = Wire(await http.ws_connect(f"{url}/socket.io/?EIO=4&transport=websocket"))
            await wire.open(**auth)
            await eventually(lambda: server.manager.is_listening)
            return wire

        yield connect


async def cut(wire: Wire, server: AsyncServer) -> dict[str, Any]:
    """Break the client's network, and wait until the connection is kept; returns what it comes back with."""
    assert wire.websocket._response.connection is not None
    transport = wire.websocket._response.connection.transport
    assert transport is not None
    transport.abort()
    redis = server.recovery.bus.redis if server.recovery else None
    assert redis is not None
    await eventually(lambda: redis.exists(f"socketio:connection:{wire.pid}"))
    return {"pid": wire.pid, **({"offset": wire.offset} if wire.offset else {})}


class TestRecovery:
    async def test_replays_what_was_missed_by_another_process(self, servers: Any, wire: Open) -> None:
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

    async def test_replays_what_a_worker_emitted(self, servers: Any, wire: Open, url: str) -> None:
        client = await wire()
        back = await cut(client, servers[0][0])
        worker = RedisEmitter(url, REPLAY)
        await worker.emit("task.finished", {"id": 7}, room=client.sid)
        await worker.aclose()
        again = await wire(1, **back)
        assert await again.event() == ["task.finished", {"id": 7}]

    async def test_repeats_what_was_sent_and_never_arrived(self, servers: Any, wire: Open) -> None:
        client = await wire()
        server = servers[0][0]
        await server.emit("news", 1, to=client.sid)
        assert await client.event() == ["news", 1]
        await server.emit("news", 2, to=client.sid)  # in the client's buffers when they are lost
        again = await wire(1, **await cut(client, server))
        assert await again.event() == ["news", 2]

    async def test_serves_twice_in_a_row(self, servers: Any, wire: Open) -> None:
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

    async def test_outlives_a_process_that_shuts_down(self, servers: Any, wire: Open) -> None:
        (first, _), (second, _) = servers
        client = await wire()
        await client.call("join", "lobby")
        await first.shutdown()
        await second.emit("news", 1, room="lobby")
        again = await wire(1, pid=client.pid)
        assert again.pid == client.pid
        assert await again.event() == ["news", 1]

    async def test_sends_nothing_twice_that_comes_while_it_connects(self, servers: Any, wire: Open) -> None:
        client = await wire()
        back = await cut(client, servers[0][0])
        second: AsyncServer = servers[1][0]

        @second.on("connect")
        async def connect(sid: SID, server: Server) -> None:
            await server.emit("news", 1, to=sid)

        again = Wire(client.websocket)
        async with aiohttp.ClientSession() as http:
            again.websocket = await http.ws_connect(f"{servers[1][1]}/socket.io/?EIO=4&transport=websocket")
            await again.websocket.receive_str()
            await again.websocket.send_str(f"40{json.dumps({'recover': True, **back})}")
            packets = [await again.packet(), await again.packet()]
            assert [packet[:2] for packet in packets] == ["42", "40"]
            await second.emit("news", 2, to=client.sid)
            assert json.loads((await again.packet())[2:])[:2] == ["news", 2]

    async def test_starts_in_a_room_where_the_client_came_in(self, servers: Any, wire: Open) -> None:
        (first, _), _ = servers
        client = await wire()
        await first.emit("news", "before", room="a")
        await asyncio.sleep(0.005)  # the next millisecond, which the stream counts by
        await client.call("join", "a")
        back = await cut(client, first)
        await first.emit("news", "after", room="a")
        again = await wire(**back)
        assert (again.pid, await again.event()) == (client.pid, ["news", "after"])

    async def test_of_many_at_once_reads_the_stream_a_few_times(self, url: str) -> None:
        bus = EventBus(url, REPLAY)
        recovery = SessionRecovery(bus)
        sessions = [
            RecoverableSession("p", str(number), "/", "", client_tracks_offset=True, rooms=["a"])
            for number in range(100)
        ]
        for number in range(20):
            await bus.publish(bus.emit_message("news", number, room="a"))
        before = (await bus.redis.info("commandstats"))["cmdstat_xrange"]["calls"]
        missed = await asyncio.gather(*(recovery.missed(session, None) for session in sessions))
        assert all(found is not None and len(found) == 20 for found in missed)
        assert (await bus.redis.info("commandstats"))["cmdstat_xrange"]["calls"] - before <= 4
        await bus.redis.aclose()

    async def test_that_takes_too_long_does_not_keep_others_from_publishing(
        self, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bus = EventBus(url, REPLAY)
        recovery = SessionRecovery(bus)
        monkeypatch.setattr("src.core.realtime.event_bus.ATTEMPT_SECONDS", 0.05)
        monkeypatch.setattr(StreamReader, "_read", lambda *_: asyncio.sleep(1))
        session = RecoverableSession("p", "s", "/", "", client_tracks_offset=True, rooms=["a"])
        assert await recovery.missed(session, None) is None
        monkeypatch.undo()
        await bus.publish(bus.disconnect_message("a", None, {}))
        await bus.redis.aclose()


class TestWithoutOffsets:
    """What any client of Socket.IO gets that knows nothing of `recover`."""

    async def test_replays_what_was_emitted_since_the_break(self, servers: Any, wire: Open) -> None:
        (first, _), (second, _) = servers
        client = await wire(0, recover=False)
        await client.call("join", "a")
        await first.emit("news", "text", room="a")
        assert await client.event() == ["news", "text"]
        back = await cut(client, first)
        await first.emit("news", "missed", room="a")
        again = await wire(1, recover=False, **back, offset="text")  # what the JavaScript client takes for an offset
        assert (again.sid, again.pid) == (client.sid, client.pid)
        assert await again.event() == ["news", "missed"]
        await second.emit("news", "later", room="a")
        assert await again.event() == ["news", "later"]

    async def test_repeats_what_may_have_been_lost_before_a_timeout(self, servers: Any, wire: Open) -> None:
        (first, _), _ = servers
        first.eio.ping_interval, first.eio.ping_timeout = 0.5, 0.1
        client = await wire(0, recover=False)
        await first.emit("news", "unheard", to=client.sid)
        await eventually(lambda: not first.eio.sockets)  # it answers no ping
        again = await wire(1, recover=False, pid=client.pid)
        assert again.pid == client.pid
        assert await again.event() == ["news", "unheard"]

    async def test_needs_no_auth(self, url: str) -> None:
        bus = EventBus(url, REPLAY)
        server = AsyncServer(recovery=SessionRecovery(bus), client_manager=RedisManager(bus))

        @server.on("connect")
        async def connect() -> None: ...

        async with aiohttp.ClientSession() as http, serve(server.asgi(FastAPI()), lifespan="off") as address:
            address += "/socket.io/?EIO=4&transport=websocket"
            client, again = [Wire(await http.ws_connect(address)) for _ in range(2)]
            await client.websocket.receive_str()
            await client.websocket.send_str("40")
            client.pid = json.loads((await client.packet())[2:])["pid"]
            await cut(client, server)
            await again.websocket.receive_str()
            await again.websocket.send_str(f'40{{"pid": "{client.pid}"}}')
            assert json.loads((await again.packet())[2:])["pid"] == client.pid
            await server.shutdown()


class TestNoRecovery:
    async def test_of_somebody_elses(self, servers: Any, wire: Open) -> None:
        client = await wire(0, user="ann")
        back = await cut(client, servers[0][0])
        assert (await wire(1, user="bob", **back)).pid != client.pid

    async def test_twice_of_one_break(self, servers: Any, wire: Open) -> None:
        client = await wire()
        back = await cut(client, servers[0][0])
        once = await wire(1, **back)
        assert once.pid == client.pid
        assert (await wire(1, **back)).pid != client.pid

    async def test_after_the_client_left_by_itself(self, servers: Any, wire: Open) -> None:
        client = await wire()
        await client.websocket.send_str("41")
        await client.websocket.close()
        assert (await wire(1, pid=client.pid)).pid != client.pid

    async def test_after_what_would_have_ended_the_connection(self, servers: Any, wire: Open) -> None:
        client = await wire()
        await client.call("join", "user:7")
        back = await cut(client, servers[0][0])
        await servers[1][0].disconnect_room("user:7")
        assert (await wire(1, **back)).pid != client.pid

    async def test_when_the_recheck_says_no(self, servers: Any, wire: Open) -> None:
        client = await wire()
        await client.call("join", "secret")
        back = await cut(client, servers[0][0])
        second: AsyncServer = servers[1][0]
        seen: list[list[str]] = []

        @second.recheck
        async def recheck(sid: SID, server: Server) -> None:
            seen.append(server.rooms(sid))
            raise PermissionError

        again = await wire(1, **back)
        assert again.pid != client.pid
        assert "secret" in seen[0]
        assert "secret" not in second.rooms(again.sid)

    async def test_for_who_is_disconnected_meanwhile(self, servers: Any, wire: Open) -> None:
        client = await wire()
        back = await cut(client, servers[0][0])
        second: AsyncServer = servers[1][0]

        @second.recheck
        async def recheck(sid: SID, server: Server) -> None:
            await server.disconnect_room(sid)

        again = await wire(1, **back)
        assert "auth.session_ended" in await again.packet()
        assert await again.packet() == "41"

    @pytest.mark.parametrize("claim", [{"pid": 5}, {"pid": "x"}, {"pid": ["x"], "offset": {}}])
    async def test_for_nonsense(self, wire: Open, claim: Any) -> None:
        assert (await wire(0, **claim)).pid

    @pytest.mark.parametrize("offset", ["", "x", "1-2-3", 5, ["x"]])
    async def test_for_an_unknown_offset(self, servers: Any, wire: Open, offset: Any) -> None:
        client = await wire()
        await servers[0][0].emit("news", 1, to=client.sid)
        await client.event()
        back = await cut(client, servers[0][0])
        assert (await wire(1, **{**back, "offset": offset})).pid != client.pid

    async def test_when_the_stream_does_not_reach_back(self, servers: Any, wire: Open) -> None:
        client = await wire()
        await servers[0][0].emit("news", 1, to=client.sid)
        await client.event()
        back = await cut(client, servers[0][0])
        await servers[0][0].recovery.bus.redis.delete(STREAM)
        assert (await wire(1, **back)).pid != client.pid

    async def test_where_it_is_switched_off(self, url: str) -> None:
        server = create(url, ReplaySettings(seconds=0))
        async with aiohttp.ClientSession() as http, serve(server.asgi(FastAPI()), lifespan="off") as address:
            async with http.ws_connect(f"{address}/socket.io/?EIO=4&transport=websocket") as websocket:
                assert "pid" not in await Wire(websocket).open()
            await server.shutdown()

    async def test_without_redis_a_connection_is_a_new_one(self, url: str) -> None:
        async with proxied(url) as (through, proxy):
            server = create(through)
            async with aiohttp.ClientSession() as http, serve(server.asgi(FastAPI()), lifespan="off") as address:
                client = Wire(await http.ws_connect(f"{address}/socket.io/?EIO=4&transport=websocket"))
                await client.open()
                back = await cut(client, server)
                proxy.refuse()
                again = Wire(await http.ws_connect(f"{address}/socket.io/?EIO=4&transport=websocket"))
                async with asyncio.timeout(2.5):
                    await again.open(**back)
                assert again.pid != client.pid
                await server.emit("news", 1, to=again.sid)
                assert await again.event() == ["news", 1]
                await server.shutdown()


class TestMemory:
    async def test_is_bounded_in_messages_and_time(self, url: str) -> None:
        emitter = RedisEmitter(url, ReplaySettings(seconds=30, messages=100))
        for number in range(500):
            await emitter.emit("news", number)
        redis = EventBus(url).redis
        assert await redis.xlen(STREAM) < 300  # Redis trims by whole nodes of 100
        assert 0 < await redis.ttl(STREAM) <= 30
        await redis.aclose()
        await emitter.aclose()

    async def test_forgets_what_is_older_under_traffic_too(self, url: str) -> None:
        redis = EventBus(url).redis
        await redis.delete(STREAM)
        for number in range(1, 301):  # long ago, and more than one node of the stream
            await redis.xadd(STREAM, {"message": "{}"}, id=f"{number}-0")
        emitter = RedisEmitter(url, ReplaySettings(seconds=30, messages=10_000))
        await emitter.emit("news", 1)
        assert await redis.xlen(STREAM) < 150
        await redis.aclose()
        await emitter.aclose()
