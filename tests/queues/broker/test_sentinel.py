"""The bulk transport serves Redis behind Sentinel, and a failover loses nothing."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kombu.exceptions import OperationalError
from redis import Redis

from src.queues.broker.urls import parse_broker
from src.queues.celery import Celery
from tests.queues.broker.sentinel import SentinelRedis
from tests.queues.conftest import Run
from tests.support.pools import ASYNCIO, PREFORK, Pool
from tests.support.waiting import wait_until

pytestmark = pytest.mark.worker


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SentinelRedis]:
    with SentinelRedis(tmp_path) as store:
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


@pytest.mark.parametrize(("pool", "tasks"), [(ASYNCIO, 2000), (PREFORK, 200)], ids=["asyncio", "prefork"])
def test_a_failover_loses_nothing(
    run: Run, pool: Pool, tasks: int, store: SentinelRedis, redis: Redis, key: str, send: Callable[[str], bool]
) -> None:
    worker = pool.start(run, key, CELERY_BROKER_URL=store.url, CELERY_BULK_TRANSPORT="true")
    worker.wait_for("ready.")
    names = [str(number) for number in range(tasks)]
    for name in names:
        if name == str(tasks // 2):
            store.fail_over()
        wait_until(lambda name=name: send(name))  # type: ignore[misc]  # a default binds the name
    wait_until(lambda: redis.scard(key) == tasks)
    assert worker.stop() == 0
