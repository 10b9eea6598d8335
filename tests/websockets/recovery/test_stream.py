"""The stream that recovery reads: its size, and the cost of reading it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from src.core.realtime.event_bus import STREAM, EventBus, ReplaySettings
from src.core.realtime.positions import position_at
from src.queues.emitter import RedisEmitter
from src.websockets.recovery import Offset, RecoverableSession, SessionRecovery
from src.websockets.recovery.progress import Progress
from src.websockets.recovery.stream_reader import StreamReader
from tests.websockets.recovery.recoverable import REPLAY


class TestReading:
    async def test_for_many_clients_at_once_is_shared(self, url: str) -> None:
        bus = EventBus(url, REPLAY)
        recovery = SessionRecovery(bus)
        since = Progress(await bus.last_position())
        sessions = [
            RecoverableSession("p", str(number), "/", "", client_tracks_offset=True, rooms=["a"], received=since)
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


class TestMissed:
    """What is missed by a client that has received the event with a certain offset."""

    @pytest.fixture
    async def buses(self, url: str) -> AsyncIterator[tuple[EventBus, EventBus]]:
        buses = EventBus(url, REPLAY), EventBus(url, REPLAY)
        await buses[0].redis.delete(STREAM)
        yield buses
        for bus in buses:
            await bus.redis.aclose()

    @staticmethod
    async def missed(bus: EventBus, received: Offset, *, entered: Offset | None = None) -> list[Any] | None:
        session = RecoverableSession("p", "s", "/", "", client_tracks_offset=True, rooms=["a"])
        if entered:
            session.entered["a"] = str(entered)
        session.received.add(received)
        found = await SessionRecovery(bus).missed(session)
        return None if found is None else [message["data"][0] for _, message in found]

    @staticmethod
    async def emit(bus: EventBus, *data: Any) -> int:
        """Returns the position of the last one."""
        messages = [bus.build_emit("news", each, room="a") for each in data]
        await asyncio.gather(*(bus.publish(message) for message in messages))
        return await bus.last_position()

    async def test_follows_the_position(self, buses: tuple[EventBus, EventBus]) -> None:
        bus, process = buses
        position = await self.emit(bus, *range(500))
        await self.emit(bus, *range(500, 600))
        assert await self.missed(bus, Offset(position)) == [*range(500, 600)]
        assert await self.missed(bus, Offset(position, process.process, 7)) == [*range(500, 600)]

    async def test_is_nothing_that_the_process_had_sent_before_it_was_in_the_stream(
        self, buses: tuple[EventBus, EventBus]
    ) -> None:
        bus, process = buses
        position = await self.emit(bus, 1)
        await self.emit(bus, 2, 3)
        await self.emit(process, "own 0", "own 1", "own 2")
        await self.emit(bus, 4)
        assert await self.missed(bus, Offset(position, process.process, 1)) == [2, 3, "own 2", 4]

    async def test_is_unknown_if_some_was_removed(self, buses: tuple[EventBus, EventBus]) -> None:
        bus, _ = buses
        position = await self.emit(bus, *range(10))
        await bus.redis.xtrim(STREAM, maxlen=1, approximate=False)
        assert await self.missed(bus, Offset(position)) == []
        await self.emit(bus, 10, 11)
        await bus.redis.xtrim(STREAM, maxlen=2, approximate=False)
        assert await self.missed(bus, Offset(position)) == [10, 11]  # the last one that it had is gone
        await bus.redis.xtrim(STREAM, maxlen=1, approximate=False)
        assert await self.missed(bus, Offset(position)) is None

    async def test_begins_when_the_room_was_entered(self, buses: tuple[EventBus, EventBus]) -> None:
        bus, process = buses
        position = await self.emit(bus, 1, 2)
        await self.emit(process, "own 0", "own 1")
        assert await self.missed(bus, Offset(), entered=Offset(position, process.process, 0)) == ["own 1"]

    async def test_is_unknown_without_a_stream_that_should_be_there(self, buses: tuple[EventBus, EventBus]) -> None:
        bus, _ = buses
        position = await self.emit(bus, 1)
        await bus.redis.delete(STREAM)
        assert await self.missed(bus, Offset(position)) is None
        assert await self.missed(bus, Offset(position - position_at(REPLAY.seconds * 1000 + 1))) == []


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
