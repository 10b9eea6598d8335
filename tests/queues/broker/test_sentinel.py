"""Workers follow the master of Redis behind Sentinel, with each transport, and a failover loses nothing."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kombu import Connection
from kombu.exceptions import OperationalError
from kombu.transport.redis import Transport
from redis import Redis

from src.queues.broker.sentinel import SentinelTransport
from src.queues.broker.transport import BulkSentinelTransport
from src.queues.broker.urls import parse_broker
from src.queues.celery import Celery
from tests.queues.conftest import Run
from tests.support.pools import POOLS, Pool
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


@pytest.mark.parametrize("pool", POOLS, ids=lambda pool: pool.name)
def test_a_failover_loses_nothing(
    run: Run, pool: Pool, store: SentinelRedis, redis: Redis, key: str, send: Callable[[str], bool]
) -> None:
    worker = pool.start(run, key, CELERY_BROKER_URL=store.url)
    worker.wait_for("ready.")
    names = [str(number) for number in range(2000)]
    for name in names:
        if name == "1000":
            store.fail_over()
        wait_until(lambda name=name: send(name))  # type: ignore[misc]  # a default binds the name
    wait_until(lambda: redis.scard(key) == len(names))
    assert worker.stop() == 0


@pytest.mark.parametrize("transport", [SentinelTransport, BulkSentinelTransport])
def test_a_transaction_ends_during_a_failover(store: SentinelRedis, transport: type[Transport]) -> None:
    """redis-py repeats it until it succeeds, which it cannot on the server that was the master."""
    broker = parse_broker(store.url)
    attempts: list[int] = []

    def write(pipe: Any) -> None:
        attempts.append(store.master)
        if len(attempts) == 1:
            store.fail_over()
        assert len(attempts) < 1000
        pipe.multi()
        pipe.set("written", 1)

    with Connection(broker.url, transport=transport, transport_options=broker.options) as connection:
        channel: Any = connection.default_channel
        with channel.conn_or_acquire() as client:
            client.set("written", 0)
            assert client.wait(1, 5000) == 1  # the replica is in a good state
            client.transaction(write, "watched")
            assert client.get("written") == b"1"


def test_fetched_messages_are_recorded_during_a_failover(store: SentinelRedis) -> None:
    """kombu takes a message out of its queue first: if it could not record it, the message would be lost."""
    broker = parse_broker(store.url)
    message = SimpleNamespace(delivery_info={"exchange": "", "routing_key": "any"}, _raw={})
    with (
        Connection(broker.url, transport=SentinelTransport, transport_options=broker.options) as connection,
        ThreadPoolExecutor(1) as thread,
    ):
        channel: Any = connection.default_channel
        channel.do_restore = False
        fail_over = thread.submit(store.fail_over)
        number = 0
        while not fail_over.done():
            channel.qos.append(message, str(number))
            number += 1
        with channel.conn_or_acquire() as client:
            assert client.hlen("unacked") == number
