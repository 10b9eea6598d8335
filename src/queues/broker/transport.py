"""kombu's Redis transport with batched fetching: `broker_transport = "src.queues.broker.transport:BulkTransport"`."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from json import JSONDecoder
from queue import Empty
from typing import Any

from celery.exceptions import ImproperlyConfigured
from kombu.log import get_logger
from kombu.transport import redis as stock
from kombu.utils.json import dumps, object_hook

from src.queues.broker.delayed import AHEAD_SECONDS, DELAYED_KEY, due_at, move_due_messages
from src.queues.broker.malformed import MALFORMED_KEY, UNREADABLE
from src.queues.broker.qos import QoS
from src.queues.broker.scripts import FETCH, NOTIFY, SET_ASIDE
from src.queues.broker.sentinel import SentinelChannel

logger = get_logger(__name__)

WAKEUP_KEY = "_kombu.wakeup.%s"
MAXIMUM_BATCH = 1000
# As kombu decodes a message; its `loads` would make a decoder for each.
ENVELOPE = JSONDecoder(object_hook=object_hook)
UNLIMITED_BATCH = 100  # without a prefetch limit


class Channel(stock.Channel):
    """Fetches up to the prefetch window in one atomic step: a message is never popped without being recorded."""

    QoS = QoS
    is_fetching = False
    moves_due_messages = True
    _moved_at = 0.0
    _has_more = False
    _awaits_wakeup = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.global_keyprefix:
            raise ImproperlyConfigured("The bulk transport does not support global_keyprefix.")
        self._no_ack_queues: set[str] = set()
        self._fetched_queues: Sequence[str] = ()

    def basic_consume(self, queue: str, no_ack: bool, *args: Any, **kwargs: Any) -> Any:
        """Consume from a queue."""
        if no_ack:
            self._no_ack_queues.add(queue)
        return super().basic_consume(queue, no_ack, *args, **kwargs)

    def _basic_cancel(self, consumer_tag: str) -> Any:
        cancelled = super()._basic_cancel(consumer_tag)
        if self._in_poll and not self.active_queues:
            # Nobody will handle the fetch in flight: return its messages now, not when the last task has ended.
            self._read_last()
        return cancelled

    def _read_last(self) -> None:
        try:
            self._brpop_read()
        except Empty:
            return

    def _brpop_start(self, timeout: float | None = None) -> None:
        queues = self._queue_cycle.consume(len(self.active_queues))
        if not queues:
            return
        if time.monotonic() - self._moved_at >= AHEAD_SECONDS:
            move_due_messages(self._shared_client)
            self._moved_at = time.monotonic()
        limit = min(self.qos.can_consume_max_estimate() or UNLIMITED_BATCH, MAXIMUM_BATCH)
        wakeups = [WAKEUP_KEY % queue for queue in queues]
        lists = [self._q_for_pri(queue, priority) for priority in self.priority_steps for queue in queues]
        keys = [self.unacked_key, self.unacked_index_key, MALFORMED_KEY, *wakeups, *lists]
        fetch = "EVAL", FETCH, len(keys), *keys, limit, time.time(), len(queues)
        # Both commands are sent at once, so that no round trip lies between wake-up and fetch.
        self._awaits_wakeup = not self._has_more
        commands = [("BRPOP", *wakeups, timeout or self.brpop_timeout), fetch] if self._awaits_wakeup else [fetch]
        connection = self.client.connection
        self._fetched_queues, self._in_poll, self._brpop_sent_at = queues, connection, time.monotonic()
        connection.send_packed_command(connection.pack_commands(commands))

    def _brpop_read(self, **_options: Any) -> bool:
        connection = self.client.connection
        try:
            if self._awaits_wakeup:
                self.client.parse_response(connection, "BRPOP")
            has_more, malformed, *fetched = self.client.parse_response(connection, "EVAL")
        except Exception:
            connection.disconnect()  # replies may be missing or left over
            raise
        finally:
            self._in_poll = None
            self._flush_brpop_reauth()
        self._has_more = bool(has_more)
        if malformed:
            logger.error("%s malformed messages were moved to %r", malformed, MALFORMED_KEY)
        if not fetched:
            raise Empty
        self._deliver(zip(fetched[::2], fetched[1::2], strict=True))
        return True

    def _deliver(self, fetched: Iterator[tuple[int, bytes]]) -> None:
        """Deliver every message, then raise the first error."""
        first_error: Exception | None = None
        self.is_fetching = True
        try:
            for index, item in fetched:
                queue = self._fetched_queues[index % len(self._fetched_queues)]
                try:
                    message = ENVELOPE.decode(item.decode())
                except UNREADABLE:
                    self._set_aside(item)
                    continue
                if queue in self._no_ack_queues:
                    self.qos.ack(message["properties"]["delivery_tag"])
                try:
                    self.connection._deliver(message, queue)
                except UNREADABLE:
                    self._set_aside(item)
                except Exception as error:
                    first_error = first_error or error
                self._queue_cycle.rotate(queue)
        finally:
            self.is_fetching = False
        if first_error is not None:
            raise first_error

    def _set_aside(self, item: bytes) -> None:
        self._shared_client.eval(SET_ASIDE, 3, self.unacked_key, self.unacked_index_key, MALFORMED_KEY, item)
        logger.error("a malformed message was moved to %r", MALFORMED_KEY)

    def _put(self, queue: str, message: Any, _publish_batch: Any = None, **kwargs: Any) -> None:
        wakeup = WAKEUP_KEY % queue
        notify = "eval", (NOTIFY, 1, wakeup)
        key = self._q_for_pri(queue, self._get_message_priority(message, reverse=False))
        commands: list[tuple[str, tuple[Any, ...]]]
        if queue in self._expires:
            super()._put(queue, message, _publish_batch=_publish_batch, **kwargs)
            commands = [notify]
        elif due := due_at(message):
            commands = [("zadd", (DELAYED_KEY, {f"{key}\n{wakeup}\n{dumps(message)}": due}))]
        else:
            commands = [("lpush", (key, dumps(message))), notify]
        if _publish_batch is not None:
            for name, args in commands:
                _publish_batch.add(name, *args)
            return
        with self.conn_or_acquire() as client, client.pipeline(transaction=False) as pipe:
            for name, args in commands:
                getattr(pipe, name)(*args)
            pipe.execute()

    @contextmanager
    def conn_or_acquire(self, client: Any = None) -> Iterator[Any]:
        """The channel's one client."""
        yield client or self._shared_client

    @cached_property
    def _shared_client(self) -> Any:
        if self.connection is None:  # closed while a queue was declared, say: kombu then publishes on a new channel
            raise ConnectionError("The channel to the broker is closed.")
        return self._create_client()

    def _disconnect_pools(self) -> None:
        self.__dict__.pop("_shared_client", None)
        super()._disconnect_pools()


class Poller(stock.MultiChannelPoller):
    """Sends collected acknowledgements before each wait for messages."""

    def on_poll_start(self) -> None:
        """Prepare to wait."""
        for channel in self._channels:
            channel.qos.flush()
        super().on_poll_start()


class BulkTransport(stock.Transport):
    """kombu's Redis transport with few round trips; it shares queues with the stock transport."""

    Channel = Channel

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cycle = Poller()


class BulkSentinelChannel(Channel, SentinelChannel):
    """The same on the master that Sentinel names."""


class BulkSentinelTransport(BulkTransport):
    """kombu's Sentinel transport with few round trips."""

    default_port = stock.SentinelTransport.default_port
    Channel = BulkSentinelChannel
