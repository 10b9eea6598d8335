"""Metrics of the sockets move by their causes; `tests/api/test_metrics.py` has those of the API."""

from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import REGISTRY

from src.core.realtime.event_bus import EventBusError
from src.websockets.engine.overrides.redis_manager import RedisManager
from src.websockets.limits import Limits
from src.websockets.server import AsyncServer
from tests.support.waiting import eventually
from tests.websockets.conftest import Connect


def value(name: str) -> float:
    return REGISTRY.get_sample_value(name) or 0


@pytest.fixture
def limits() -> Limits:
    return Limits(events_per_second=0.001, burst=1)


async def test_clients_are_counted_while_they_are_connected(sio: AsyncServer, connect: Connect) -> None:
    before = value("socketio_clients")
    peer = await connect()
    await eventually(lambda: value("socketio_clients") == before + 1)
    await peer.client.disconnect()
    await eventually(lambda: value("socketio_clients") == before)


async def test_events_beyond_the_rate_are_counted(sio: AsyncServer, connect: Connect) -> None:
    sio.on("quick", lambda: "done")
    before = value("socketio_refused_events_total")
    peer = await connect()
    assert [(await peer.call("quick"))["code"] for _ in range(3)] == [1013] * 3  # the connect was the one of the burst
    assert value("socketio_refused_events_total") == before + 3


async def test_messages_that_do_not_reach_redis_are_counted() -> None:
    class Broken:
        async def publish(self, _: object) -> None:
            raise EventBusError

    before = value("socketio_publish_failures_total")
    manager: Any = SimpleNamespace(_bus=Broken())
    await RedisManager._publish(manager, {})
    assert value("socketio_publish_failures_total") == before + 1
