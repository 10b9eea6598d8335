"""The stream that recovery reads: its size, and the cost of reading it."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from src.core.realtime.event_bus import STREAM, EventBus, ReplaySettings
from src.queues.emitter import RedisEmitter
from src.websockets.recovery import RecoverableSession, SessionRecovery
from src.websockets.recovery.session import MAX_OFFSETS
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


class TestMissed:
    """What is missed by a client that has received more than a session remembers."""

    @pytest.fixture
    async def buses(self, url: str) -> AsyncIterator[tuple[EventBus, EventBus]]:
        buses = EventBus(url, REPLAY), EventBus(url, REPLAY)
        await buses[0].redis.delete(STREAM)  # nothing was trimmed from it
        yield buses
        for bus in buses:
            await bus.redis.aclose()

    @staticmethod
    def session(bus: EventBus) -> RecoverableSession:
        """A session that another process serves than `bus`."""
        return RecoverableSession("p", "s", "/", "", client_tracks_offset=True, process=bus.process, rooms=["a"])

    async def test_of_a_killed_process(self, buses: tuple[EventBus, EventBus]) -> None:
        bus, other = buses
        session = self.session(other)
        messages = [bus.build_emit("news", number, room="a") for number in range(500)]
        await asyncio.gather(*(bus.publish(message) for message in messages))
        offsets = [message["offset"] for message in messages]
        session.sent.extend(offsets[100:400])  # as it was saved
        session.last_received = offsets[490]
        missed = await SessionRecovery(bus).missed(session)
        assert [message["offset"] for message in missed or ()] == offsets[491:]

    async def test_when_the_stream_has_another_order(self, buses: tuple[EventBus, EventBus]) -> None:
        bus, process = buses
        session = self.session(process)
        others = [bus.build_emit("news", number, room="a") for number in range(MAX_OFFSETS + 4)]
        own = process.build_emit("own", 1, room="a", heard=others[2]["offset"])
        for message in [*others[:5], own, *others[5:]]:
            await bus.publish(message)
        session.sent.extend(message["offset"] for message in [*others[:3], own, *others[3:-1]])
        assert session.sent[0] == others[3]["offset"]  # what it sent right before is not remembered
        session.stop(set())
        missed = await SessionRecovery(bus).missed(session)
        assert [message["offset"] for message in missed or ()] == [others[-1]["offset"]]

    async def test_of_a_process_that_had_replayed_the_last_event(self, buses: tuple[EventBus, EventBus]) -> None:
        bus, process = buses
        session = self.session(process)
        replayed = bus.build_emit("news", 1, room="a")
        await bus.publish(replayed)
        session.sent.append(replayed["offset"])
        session.stop(set())
        own = process.build_emit("own", 1, room="a")  # it had heard nothing of others
        await process.publish(own)
        missed = await SessionRecovery(bus).missed(session)
        assert [message["offset"] for message in missed or ()] == [own["offset"]]

    async def test_of_a_client_that_received_nothing_of_much(self, buses: tuple[EventBus, EventBus]) -> None:
        bus, process = buses
        session = self.session(process)
        session.since -= 10_000
        messages = [bus.build_emit("news", number, room="a") for number in range(MAX_OFFSETS + 10)]
        await asyncio.gather(*(bus.publish(message) for message in messages))
        offsets = [message["offset"] for message in messages]
        session.sent.extend(offsets)
        session.stop(set())
        session.received_until += 10_000  # the connection was open for long after the forgotten events
        session.discard_after(None)
        missed = await SessionRecovery(bus).missed(session)
        assert [message["offset"] for message in missed or ()] == offsets


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
