"""The stream that recovery reads: its size, and the cost of reading it."""

import asyncio

import pytest

from src.core.realtime.event_bus import STREAM, EventBus, ReplaySettings
from src.queues.emitter import RedisEmitter
from src.websockets.recovery import RecoverableSession, SessionRecovery
from src.websockets.recovery.stream_reader import StreamReader
from tests.websockets.recovery.conftest import REPLAY


class TestReading:
    async def test_for_many_clients_at_once_is_shared(self, url: str) -> None:
        bus = EventBus(url, REPLAY)
        recovery = SessionRecovery(bus)
        sessions = [
            RecoverableSession("p", str(number), "/", "", client_tracks_offset=True, rooms=["a"])
            for number in range(100)
        ]
        for number in range(20):
            await bus.publish(bus.build_emit("news", number, room="a"))

        async def reads() -> int:
            statistics = await bus.redis.info("commandstats")
            return int(statistics["cmdstat_xrange"]["calls"]) if "cmdstat_xrange" in statistics else 0

        before = await reads()
        missed = await asyncio.gather(*(recovery.missed(session) for session in sessions))
        assert all(found is not None and len(found) == 20 for found in missed)
        assert await reads() - before <= 4
        await bus.redis.aclose()

    async def test_that_times_out_does_not_stop_publishing(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        bus = EventBus(url, REPLAY)
        recovery = SessionRecovery(bus)
        monkeypatch.setattr("src.core.realtime.event_bus.ATTEMPT_SECONDS", 0.05)
        monkeypatch.setattr(StreamReader, "_read", lambda *_: asyncio.sleep(1))
        session = RecoverableSession("p", "s", "/", "", client_tracks_offset=True, rooms=["a"])
        assert await recovery.missed(session) is None
        monkeypatch.undo()
        await bus.publish(bus.build_disconnect("a", None))
        await bus.redis.aclose()


class TestSize:
    async def test_is_limited_in_messages_and_time(self, url: str) -> None:
        emitter = RedisEmitter(url, ReplaySettings(seconds=30, messages=100))
        for number in range(500):
            await emitter.emit("news", number)
        redis = EventBus(url).redis
        assert await redis.xlen(STREAM) < 300  # Redis trims by whole nodes of 100
        assert 0 < await redis.ttl(STREAM) <= 30
        await redis.aclose()
        await emitter.aclose()

    async def test_old_messages_are_trimmed_by_new_ones(self, url: str) -> None:
        redis = EventBus(url).redis
        await redis.delete(STREAM)
        for number in range(1, 301):  # long ago, and more than one node of the stream
            await redis.xadd(STREAM, {"message": "{}"}, id=f"{number}-0")
        emitter = RedisEmitter(url, ReplaySettings(seconds=30, messages=10_000))
        await emitter.emit("news", 1)
        assert await redis.xlen(STREAM) < 150
        await redis.aclose()
        await emitter.aclose()
