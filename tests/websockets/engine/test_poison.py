"""Whatever somebody writes into the channel or the stream of the servers, events go on."""

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from src.core.config import settings
from src.core.realtime.event_bus import CHANNEL, STREAM, EventBus
from src.core.resources import Resources
from src.main import server as product_server
from src.queues.emitter import RedisEmitter
from src.websockets.engine.metrics import INVALID_MESSAGES
from src.websockets.recovery.stream_reader import StreamReader
from tests.support.people import Person
from tests.websockets.conftest import Visit

DISCONNECT = {"method": "disconnect_room", "host_id": "x", "room": {}, "except_room": 5, "namespace": []}
AFTER = {"method": "emit", "event": "after", "namespace": "/", "room": None}
POISON: list[Any] = [
    b"\x00",
    b"\xff",
    b"x",
    b"5",
    b"null",
    b"[]",
    b"{}",
    b"[" * 100_000,
    json.dumps({"method": "emit"}),
    json.dumps({"method": "emit", "host_id": "x", "event": {}, "data": 5, "room": {}, "namespace": 5}),
    json.dumps({"method": "callback", "host_id": []}),
    json.dumps({"method": 5}),
    json.dumps(DISCONNECT),
    json.dumps({**DISCONNECT, "room": [[]]}),
    json.dumps({"method": "close_room", "room": {}}),
]


@pytest.fixture
async def emitter() -> AsyncIterator[RedisEmitter]:
    async with aclosing(RedisEmitter(settings.REDIS_DATABASE_URL)) as emitter:
        yield emitter


class TestRow63Poison:
    @pytest.mark.parametrize("poison", POISON, ids=lambda poison: str(poison)[:30])
    async def test_in_the_channel_stops_no_listener(
        self, visit: Visit, admin: Person, resources: Resources, emitter: RedisEmitter, poison: Any
    ) -> None:
        client = await visit(admin)
        resumed = product_server.manager._subscriber._on_subscribed
        subscriptions = 0

        def count() -> None:
            nonlocal subscriptions
            subscriptions += 1
            resumed()

        product_server.manager._subscriber._on_subscribed = count
        try:
            await resources.redis.publish(CHANNEL, poison)
            await emitter.emit("after", {"poison": 1})
            assert await client.receive() == ("after", {"poison": 1})
        finally:
            product_server.manager._subscriber._on_subscribed = resumed
        assert (subscriptions, product_server.manager.is_listening) == (0, True)

    async def test_is_counted(self, visit: Visit, admin: Person, resources: Resources, emitter: RedisEmitter) -> None:
        client = await visit(admin)
        before = INVALID_MESSAGES._value.get()
        for _ in range(3):
            await resources.redis.publish(CHANNEL, b"\xff")
        await emitter.emit("after", {})
        await client.receive()
        assert INVALID_MESSAGES._value.get() == before + 3

    async def test_in_the_stream_keeps_nobody_from_recovering(self, resources: Resources) -> None:
        bus = EventBus(settings.REDIS_DATABASE_URL)
        for poison in POISON[:8]:
            await resources.redis.xadd(STREAM, {"message": poison})
        await resources.redis.xadd(STREAM, {"other": "x"})
        await resources.redis.xadd(STREAM, {"message": json.dumps(AFTER)})
        try:
            messages, _ = await StreamReader(bus).since(0)
        finally:
            await bus.redis.aclose()
            await resources.redis.delete(STREAM)
        assert messages[-1][1] == AFTER
