"""Whatever leaves the server is JSON, which has no NaN and no infinity."""

import json
from typing import Any

import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from src.core.config import settings
from src.core.realtime.event_bus import CHANNEL, STREAM, EventBus, ReplaySettings
from src.websockets.engine.overrides import RedisManager
from src.websockets.server import AsyncServer
from src.websockets.testing import SocketClient
from tests.websockets.conftest import Connect

NAN = float("nan")


class Measured(BaseModel):
    value: float
    others: list[float] = []


VALUES = [
    (NAN, None),
    ([1.5, float("inf")], [1.5, None]),
    ({"a": {"b": -float("inf")}}, {"a": {"b": None}}),
    (Measured(value=NAN, others=[NAN, 1.0]), {"value": None, "others": [None, 1.0]}),
]


class TestNotANumber:
    @pytest.mark.parametrize(("value", "sent"), VALUES)
    async def test_is_null_in_an_ack(self, sio: AsyncServer, connect: Connect, value: Any, sent: Any) -> None:
        @sio.on("get")
        async def get() -> Any:
            return value

        assert await (await connect()).call("get") == sent

    @pytest.mark.parametrize(("value", "sent"), VALUES)
    async def test_is_null_in_an_event(self, sio: AsyncServer, connect: Connect, value: Any, sent: Any) -> None:
        peer = await connect()
        await sio.emit("news", value)
        assert (await peer.next())[2] == sent

    async def test_is_null_in_a_binary_event(self, sio: AsyncServer, connect: Connect) -> None:
        peer = await connect()
        await sio.emit("news", {"file": b"\xff", "value": NAN})
        assert (await peer.next())[2] == {"file": b"\xff", "value": None}

    async def test_is_null_for_other_processes_and_in_the_replay_stream(self) -> None:
        bus = EventBus(settings.REDIS_DATABASE_URL, ReplaySettings(seconds=30))
        server = AsyncServer(client_manager=RedisManager(bus))
        async with SocketClient(server.asgi(FastAPI())) as client, bus.redis.pubsub() as pubsub:
            await pubsub.subscribe(CHANNEL)
            await server.emit("news", {"value": NAN}, to=client.sid)
            messages = [message async for message in _published(pubsub)]
            entries: Any = await bus.redis.xrevrange(STREAM, count=1)
        await server.shutdown()
        for text in (messages[0], entries[0][1][b"message"]):
            assert json.loads(text, parse_constant=_refuse)["data"] == [{"value": None}]


async def _published(pubsub: Any) -> Any:
    async for message in pubsub.listen():
        if message["type"] == "message" and b'"news"' in message["data"]:
            yield message["data"]
            return


def _refuse(constant: str) -> Any:
    raise AssertionError(f"{constant} is not JSON")
