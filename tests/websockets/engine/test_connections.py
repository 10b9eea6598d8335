"""Connections from their connect handler to their end."""

import asyncio
import gc
import weakref

import pytest

from src.core.exceptions import UnauthorizedError
from src.websockets.limits import Limits
from src.websockets.params import SID
from src.websockets.server import AsyncServer
from tests.support.waiting import PATIENCE_SECONDS, eventually
from tests.websockets.conftest import Connect


@pytest.fixture
def limits() -> Limits:
    return Limits(drain_seconds=0.2)


class TestPendingConnect:
    async def test_gets_no_broadcasts(self, sio: AsyncServer, connect: Connect) -> None:
        @sio.on("connect")
        async def connected(sid: SID) -> None:
            await sio.emit("news", "for everyone")
            await sio.emit("news", "for you", to=sid)

        peer = await connect()
        assert (await peer.next())[1:] == ("news", "for you")
        await sio.emit("news", "for everyone, later")
        assert (await peer.next())[1:] == ("news", "for everyone, later")


class TestExpiry:
    @pytest.mark.slow
    async def test_ends_a_connection_with_an_error(self, sio: AsyncServer, connect: Connect) -> None:
        peer = await connect()
        sio.expire(peer.client.get_sid(), 0.05)
        assert (await peer.next())[2]["error"] == "auth.session_ended"
        await asyncio.wait_for(peer.client.wait(), PATIENCE_SECONDS)

    async def test_can_be_postponed(self, sio: AsyncServer, connect: Connect) -> None:
        peer = await connect()
        sio.expire(peer.client.get_sid(), 0.05)
        sio.expire(peer.client.get_sid(), 60)
        await asyncio.sleep(0.15)
        assert peer.client.connected


class TestBroadcast:
    async def test_needs_no_task_for_each_recipient(self, sio: AsyncServer, connect: Connect) -> None:
        peers = [await connect() for _ in range(5)]
        before = asyncio.all_tasks()
        emitting = sio.emit("news", 1)
        with pytest.raises(StopIteration):
            emitting.send(None)  # it is done without waiting for anybody
        assert asyncio.all_tasks() == before
        assert [await peer.next() for peer in peers] == [("/", "news", 1)] * 5


class TestRecheck:
    @pytest.mark.slow
    async def test_disconnects_a_client_that_is_denied_and_repeats_a_check_that_failed(
        self, sio: AsyncServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("src.websockets.engine.clients._RETRY_SECONDS", 0.01)
        peers = [await connect() for _ in range(2)]
        answers: list[Exception] = [OSError(), UnauthorizedError()]

        @sio.authorization_check
        async def recheck(sid: SID) -> None:
            if sid == peers[0].client.get_sid():
                raise answers.pop(0)

        await asyncio.wait_for(sio.clients.recheck(), PATIENCE_SECONDS)
        assert (await peers[0].next())[2]["error"] == "auth.session_ended"
        await asyncio.wait_for(peers[0].client.wait(), PATIENCE_SECONDS)
        assert peers[1].client.connected


class TestShutdown:
    async def test_waits_for_running_events_then_cancels_them(self, sio: AsyncServer, connect: Connect) -> None:
        begun: list[float] = []
        done: list[str] = []

        @sio.on("slow")
        async def slow(seconds: float) -> None:
            begun.append(seconds)
            await asyncio.sleep(seconds)
            done.append("ended")

        peer = await connect()
        await peer.client.emit("slow", 0.05)
        await peer.client.emit("slow", 60)
        await eventually(lambda: len(begun) == 2)
        await sio.shutdown()
        assert done == ["ended"]


async def test_a_closed_connection_is_freed_before_any_timer_or_the_garbage_collector_runs(
    sio: AsyncServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("src.websockets.engine.overrides.engine._UNREAD_SECONDS", 3600)
    peer = await connect()
    [socket] = sio.eio.sockets.values()
    websocket, protocol = socket.websocket, socket.websocket.asgi_send.__self__
    kept = weakref.ref(websocket), weakref.ref(protocol)
    del websocket, protocol
    gc.disable()
    try:
        await peer.client.disconnect()  # `socket` stays: Engine.IO's own task keeps it for a while
        await eventually(lambda: [reference() for reference in kept] == [None, None])
    finally:
        gc.enable()
