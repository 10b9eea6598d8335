"""The bulk transport on a real Redis: it records messages as it fetches them, and shares queues with kombu's own."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from kombu import Connection, Consumer, Producer, Queue
from kombu.transport.redis import Transport as StockTransport
from redis import Redis

from src.core.config import settings
from src.queues.app import app
from src.queues.broker import delayed
from src.queues.broker.malformed import MALFORMED_KEY
from src.queues.broker.qos import QoS
from src.queues.broker.transport import WAKEUP_KEY, BulkTransport

# A separate database: all queues share the keys of unacknowledged messages.
from tests.support.waiting import wait_until

URL = settings.REDIS_DATABASE_URL.rpartition("/")[0] + "/9"
Connect = Callable[[type[StockTransport]], Connection]


@pytest.fixture
def broker() -> Iterator[Redis]:
    broker = Redis.from_url(URL, decode_responses=True)
    broker.flushdb()
    yield broker
    broker.flushdb()
    broker.close()


@pytest.fixture
def connect(broker: Redis) -> Iterator[Connect]:
    connections: list[Connection] = []

    def connect(transport: type[StockTransport] = BulkTransport) -> Connection:
        connections.append(Connection(URL, transport=transport))
        return connections[-1]

    yield connect
    for connection in connections:
        connection.close()


@pytest.fixture
def queue(key: str) -> Queue:
    return Queue(key, routing_key=key)


def send(connection: Connection, queue: Queue, *bodies: object, **options: Any) -> None:
    producer = Producer(connection)
    for body in bodies:
        producer.publish(body, routing_key=queue.name, declare=[queue], serializer="json", **options)


def receive(connection: Connection, queue: Queue, window: int = 0, *, no_ack: bool = False) -> list[Any]:
    """Consume; messages are appended to the returned list."""
    messages: list[Any] = []
    consumer = Consumer(connection, [queue], on_message=messages.append, no_ack=no_ack, prefetch_count=window or None)
    consumer.consume()
    return messages


def drain(connection: Connection, until: Callable[[], object]) -> None:
    def turn() -> object:
        with suppress(TimeoutError):
            connection.drain_events(timeout=0.2)
        return until()

    wait_until(turn)


def bodies(messages: list[Any]) -> list[object]:
    return [message.decode() for message in messages]


@pytest.mark.slow
class TestFetching:
    def test_no_more_than_the_prefetch_window_is_fetched(self, connect: Connect, broker: Redis, queue: Queue) -> None:
        connection = connect(BulkTransport)
        send(connection, queue, *range(15))
        messages = receive(connection, queue, 10)
        drain(connection, lambda: len(messages) == 10)
        assert bodies(messages) == list(range(10))
        assert (broker.llen(queue.name), broker.hlen("unacked")) == (5, 10)
        for message in messages.copy():
            message.ack()
        drain(connection, lambda: len(messages) == 15)

    def test_acknowledged_messages_leave_no_trace(self, connect: Connect, broker: Redis, queue: Queue) -> None:
        connection = connect(BulkTransport)
        send(connection, queue, *range(20))
        messages = receive(connection, queue)
        drain(connection, lambda: len(messages) == 20)
        for message in messages:
            message.ack()
        drain(connection, lambda: broker.hlen("unacked") == broker.zcard("unacked_index") == 0)

    def test_unacknowledged_messages_return_when_the_connection_ends(
        self, connect: Connect, broker: Redis, queue: Queue
    ) -> None:
        connection = connect(BulkTransport)
        send(connection, queue, "first", "second")
        messages = receive(connection, queue)
        drain(connection, lambda: len(messages) == 2)
        messages[0].ack()
        connection.close()
        assert (broker.llen(queue.name), broker.hlen("unacked")) == (1, 0)

    def test_higher_priorities_come_first(self, connect: Connect, queue: Queue) -> None:
        connection = connect(BulkTransport)
        send(connection, queue, "later", priority=9)
        send(connection, queue, "now", priority=0)
        messages = receive(connection, queue)
        drain(connection, lambda: len(messages) == 2)
        assert bodies(messages) == ["now", "later"]

    def test_consumers_without_acknowledgements_leave_none_pending(
        self, connect: Connect, broker: Redis, queue: Queue
    ) -> None:
        connection = connect(BulkTransport)
        send(connection, queue, 1, 2)
        messages = receive(connection, queue, no_ack=True)
        drain(connection, lambda: len(messages) == 2 and not broker.hlen("unacked"))

    def test_malformed_messages_are_set_aside(self, connect: Connect, broker: Redis, queue: Queue) -> None:
        connection = connect(BulkTransport)
        broker.lpush(queue.name, "{not a message", '{"properties": {}}')
        send(connection, queue, "a message")
        messages = receive(connection, queue)
        drain(connection, lambda: messages)
        assert bodies(messages) == ["a message"]
        assert broker.lrange(MALFORMED_KEY, 0, -1) == ['{"properties": {}}', "{not a message"]

    def test_undecodable_messages_are_set_aside_and_block_no_others(
        self, connect: Connect, broker: Redis, queue: Queue
    ) -> None:
        send(connect(BulkTransport), queue, "first")
        broken = str(broker.lindex(queue.name, 0)).replace('"body"', '"body\udcff"')
        broken = broken.replace('"delivery_tag": "', '"delivery_tag": "broken-')
        broker.lpush(queue.name, broken.encode("utf-8", "surrogateescape"))
        send(connect(BulkTransport), queue, "last")
        connection = connect(BulkTransport)
        messages = receive(connection, queue)
        drain(connection, lambda: len(messages) == 2)
        assert bodies(messages) == ["first", "last"]
        assert (broker.llen(MALFORMED_KEY), broker.hlen("unacked")) == (1, 2)


@pytest.mark.slow
class TestDelaying:
    def test_messages_of_three_hours_reach_their_queue_once_and_within_a_second(
        self, connect: Connect, broker: Redis, queue: Queue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A worker keeps what it gets early until its time. The clock is faked."""
        start = now = datetime.now(UTC).replace(microsecond=0)
        monkeypatch.setattr(delayed, "time", SimpleNamespace(time=lambda: now.timestamp()))
        connection = connect(BulkTransport)
        etas = {(start + timedelta(seconds=1 + number * 10.79)).isoformat() for number in range(1000)}
        for eta in etas:
            send(connection, queue, eta, headers={"eta": eta})
        arrived: list[str] = []
        while now < start + timedelta(hours=3):
            now += timedelta(seconds=1)
            delayed.move_due_messages(broker)
            while message := broker.rpop(queue.name):
                eta = json.loads(str(message))["headers"]["eta"]
                assert abs(now - datetime.fromisoformat(eta)) <= timedelta(seconds=1)
                arrived.append(eta)
        assert sorted(arrived) == sorted(etas)

    def test_any_consumer_with_this_transport_moves_due_messages(self, connect: Connect, queue: Queue) -> None:
        connection = connect(BulkTransport)
        eta = datetime.now(UTC) + timedelta(seconds=1.5)
        send(connection, queue, "later", headers={"eta": eta.isoformat()})
        messages = receive(connection, queue)
        drain(connection, lambda: messages)
        assert eta - datetime.now(UTC) < timedelta(seconds=1)


@pytest.mark.slow
class TestSharingQueues:
    @pytest.mark.parametrize(("sender", "receiver"), [(StockTransport, BulkTransport), (BulkTransport, StockTransport)])
    def test_with_the_stock_transport(
        self, connect: Connect, queue: Queue, sender: type[StockTransport], receiver: type[StockTransport]
    ) -> None:
        send(connect(sender), queue, "hello")
        connection = connect(receiver)
        messages = receive(connection, queue)
        drain(connection, lambda: messages)
        assert bodies(messages) == ["hello"]

    def test_the_stock_transport_restores_messages_of_the_bulk_transport(
        self, connect: Connect, broker: Redis, queue: Queue
    ) -> None:
        connection = connect(BulkTransport)
        send(connection, queue, "hello")
        messages = receive(connection, queue)
        drain(connection, lambda: messages)
        other = connect(StockTransport)
        channel: Any = other.default_channel
        send(other, queue)
        broker.zadd("unacked_index", {messages[0].delivery_tag: 1})
        channel.qos.restore_visible(num=None, interval=1)
        assert (broker.llen(queue.name), broker.hlen("unacked")) == (1, 0)

    def test_messages_of_a_lost_worker_return_after_the_visibility_timeout(
        self, connect: Connect, broker: Redis, queue: Queue
    ) -> None:
        connection = connect(BulkTransport)
        send(connection, queue, "hello")
        messages = receive(connection, queue)
        drain(connection, lambda: messages)
        channel: Any = connect(BulkTransport).default_channel
        channel.qos.restore_visible(num=None, interval=1)
        assert (broker.llen(queue.name), broker.hlen("unacked")) == (0, 1)
        broker.zadd("unacked_index", {messages[0].delivery_tag: 1})
        channel.qos.restore_visible(num=None, interval=1)
        assert (broker.llen(queue.name), broker.hlen("unacked")) == (1, 0)

    def test_a_worker_killed_meanwhile_keeps_the_others_from_returning_messages_for_seconds(
        self, broker: Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kept: list[Any] = []
        monkeypatch.setattr(QoS, "restore_by_tag", lambda *_: kept.append(broker.pttl("unacked_mutex")))
        options = app.conf.broker_transport_options
        with Connection(URL, transport=BulkTransport, transport_options=options) as connection:
            channel: Any = connection.default_channel
            broker.zadd("unacked_index", {"lost": 1})
            channel.qos.restore_visible(num=None, interval=1)
            assert 0 < kept[0] <= 10_000

    def test_sending_wakes_a_waiting_consumer(self, connect: Connect, broker: Redis, queue: Queue) -> None:
        connection = connect(BulkTransport)
        messages = receive(connection, queue)
        with suppress(TimeoutError):
            connection.drain_events(timeout=0.05)
        send(connect(BulkTransport), queue, "hello")
        drain(connection, lambda: messages)
        assert 0 < broker.pttl(WAKEUP_KEY % queue.name) <= 5000 or not broker.keys(WAKEUP_KEY % "*")
