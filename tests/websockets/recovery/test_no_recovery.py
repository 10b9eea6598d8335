"""When a client gets a new session instead of its old one."""

import asyncio
from typing import Any

import aiohttp
import pytest
from fastapi import FastAPI

from src.core.realtime.event_bus import STREAM, ReplaySettings
from src.websockets.params import SID, Server
from src.websockets.server import AsyncServer
from tests.support.proxy import proxied
from tests.support.waiting import eventually, patience
from tests.websockets.conftest import serve
from tests.websockets.recovery.conftest import Open, Wire, cut, dialing
from tests.websockets.recovery.recoverable import REPLAY, create


async def is_gone(redis: Any, pid: str) -> bool:
    return not await redis.exists(f"socketio:connection:{pid}")


@pytest.mark.slow
class TestNoRecovery:
    async def test_of_a_session_of_another_principal(self, servers: Any, wire: Open) -> None:
        client = await wire(0, user="ann")
        back = await cut(client, servers[0][0])
        assert (await wire(1, user="bob", **back)).pid != client.pid

    async def test_a_second_time_after_one_failure(self, servers: Any, wire: Open) -> None:
        client = await wire()
        back = await cut(client, servers[0][0])
        once = await wire(1, **back)
        assert once.pid == client.pid
        assert (await wire(1, **back)).pid != client.pid

    async def test_after_the_client_disconnected(self, servers: Any, wire: Open) -> None:
        client, redis = await wire(), servers[0][0].recovery.bus.redis
        await eventually(lambda: redis.exists(f"socketio:connection:{client.pid}"))
        await client.websocket.send_str("41")
        await eventually(lambda: is_gone(redis, client.pid))
        assert (await wire(1, pid=client.pid)).pid != client.pid

    async def test_after_a_disconnect_message_for_its_room(self, servers: Any, wire: Open) -> None:
        client = await wire()
        await client.call("join", "user:7")
        back = await cut(client, servers[0][0])
        await servers[1][0].disconnect_room("user:7")
        assert (await wire(1, **back)).pid != client.pid

    async def test_when_the_recheck_denies_it(self, servers: Any, wire: Open) -> None:
        client = await wire()
        await client.call("join", "secret")
        back = await cut(client, servers[0][0])
        second: AsyncServer = servers[1][0]
        seen: list[list[str]] = []

        @second.authorization_check
        async def recheck(sid: SID, server: Server) -> None:
            seen.append(server.rooms(sid))
            raise PermissionError

        again = await wire(1, **back)
        assert again.pid != client.pid
        assert "secret" in seen[0]
        assert "secret" not in second.rooms(again.sid)

    async def test_for_a_client_that_is_disconnected_meanwhile(self, servers: Any, wire: Open) -> None:
        client = await wire()
        back = await cut(client, servers[0][0])
        second: AsyncServer = servers[1][0]

        @second.authorization_check
        async def recheck(sid: SID, server: Server) -> None:
            await server.disconnect_room(sid)

        again = await wire(1, **back)
        assert "auth.session_ended" in await again.packet()
        assert await again.packet() == "41"

    @pytest.mark.parametrize("claim", [{"pid": 5}, {"pid": "x"}, {"pid": ["x"], "offset": {}}])
    async def test_for_an_invalid_pid(self, wire: Open, claim: Any) -> None:
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

    @pytest.mark.parametrize("received", [0, 1])
    async def test_when_missed_events_were_trimmed(self, servers: Any, wire: Open, received: int) -> None:
        client = await wire()
        first: AsyncServer = servers[0][0]
        for number in range(received):
            await first.emit("news", number, to=client.sid)
            await client.event()
        back = await cut(client, first)
        await first.emit("news", "missed", to=client.sid)
        for number in range(REPLAY.messages + 200):  # Redis trims by whole nodes of 100
            await first.emit("news", number, room="elsewhere")
        assert (await wire(1, **back)).pid != client.pid

    async def test_where_it_is_disabled(self, url: str) -> None:
        server = create(url, ReplaySettings(seconds=0))
        async with aiohttp.ClientSession() as http, serve(server.asgi(FastAPI()), lifespan="off") as address:
            async with http.ws_connect(f"{address}/socket.io/?EIO=4&transport=websocket") as websocket:
                assert "pid" not in await Wire(websocket).open()
            await server.shutdown()

    async def test_without_redis(self, url: str) -> None:
        async with proxied(url) as (through, proxy):
            server = create(through)
            async with dialing() as dial, serve(server.asgi(FastAPI()), lifespan="off") as address:
                client = await dial(address)
                await client.open()
                back = await cut(client, server)
                proxy.refuse()
                again = await dial(address)
                async with asyncio.timeout(2.5 * patience()):
                    await again.open(**back)
                assert again.pid != client.pid
                await server.emit("news", 1, to=again.sid)
                assert await again.event() == ["news", 1]
                await server.shutdown()
