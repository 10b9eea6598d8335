"""The bulk transport serves Redis behind Sentinel, and a failover loses nothing."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kombu.exceptions import OperationalError
from redis import Redis

from src.queues.broker.urls import parse_broker
from src.queues.celery import Celery
from tests.queues.conftest import Run
from tests.support.pools import ASYNCIO
from tests.support.sentinel import SentinelRedis, sentinel_redis
from tests.support.waiting import wait_until

pytestmark = pytest.mark.worker


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SentinelRedis]:
    with sentinel_redis(tmp_path) as store:
        yield store


@pytest.fixture
def send(store: SentinelRedis, key: str) -> Iterator[Callable[[str], bool]]:
    """Send a task; returns whether the broker has accepted it."""
    broker = parse_broker(store.url)
    with Celery("sender", broker=broker.url, set_as_current=False) as sender:
        sender.conf.broker_transport_options = broker.options

        def send(name: str) -> bool:
            try:
                sender.send_task("sample.note_once", (key, name), queue=key)
            except (OperationalError, AttributeError):  # kombu may try again on a channel that it has closed
                sender.close()
                return False
            return True

        yield send


def test_a_failover_loses_nothing(
    run: Run, store: SentinelRedis, redis: Redis, key: str, send: Callable[[str], bool]
) -> None:
    worker = ASYNCIO.start(run, key, CELERY_BROKER_URL=store.url)
    worker.wait_for("ready.")
    names = [str(number) for number in range(2000)]
    for name in names:
        if name == "1000":
            store.fail_over()
        wait_until(lambda name=name: send(name))  # type: ignore[misc]  # a default binds the name
    wait_until(lambda: redis.scard(key) == len(names))
    assert worker.stop() == 0
