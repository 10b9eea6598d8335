"""kombu's Redis transport in bulk: `broker_transport = "src.queues.broker.transport:BulkTransport"`."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from queue import Empty
from typing import Any

from celery.exceptions import ImproperlyConfigured
from kombu.log import get_logger
from kombu.transport import redis as stock
from kombu.utils.json import dumps, loads

from src.queues.broker.fetch import FETCH, MALFORMED, MOST, NOTIFY, SET_ASIDE, UNLIMITED, WAKEUP_KEY
from src.queues.broker.qos import QoS

logger = get_logger(__name__)


class Channel(stock.Channel):
    """Fetches up to the prefetch window in one step that loses nothing: no message is popped without being recorded."""

    QoS = QoS
    is_fetching = False
    _has_more = False
    _awaits_bell = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.global_keyprefix:
            raise ImproperlyConfigured("The bulk transport knows no global_keyprefix.")
        self._unacknowledging: set[str] = set()
        self._asked: Sequence[str] = ()

    def basic_consume(self, queue: str, no_ack: bool, *args: Any, **kwargs: Any) -> Any:
        """Consume from a queue."""
        if no_ack:
            self._unacknowledging.add(queue)
        return super().basic_consume(queue, no_ack, *args, **kwargs)

    def _basic_cancel(self, consumer_tag: str) -> Any:
        cancelled = super()._basic_cancel(consumer_tag)
        if self._in_poll and not self.active_queues:
            # What is under way is for nobody: back with it now, and not when the last task has ended.
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
        window = min(self.qos.can_consume_max_estimate() or UNLIMITED, MOST)
        bells = [WAKEUP_KEY % queue for queue in queues]
        lists = [self._q_for_pri(queue, priority) for priority in self.priority_steps for queue in queues]
        keys = [self.unacked_key, self.unacked_index_key, MALFORMED, *bells, *lists]
        fetch = "EVAL", FETCH, len(keys), *keys, window, time.time(), len(queues)
        # The fetch follows on the bell's heels, without a round trip in between.
        self._awaits_bell = not self._has_more
        commands = [("BRPOP", *bells, timeout or self.brpop_timeout), fetch] if self._awaits_bell else [fetch]
        connection = self.client.connection
        self._asked, self._in_poll, self._brpop_sent_at = queues, connection, time.monotonic()
        connection.send_packed_command(connection.pack_commands(commands))

    def _brpop_read(self, **_options: Any) -> bool:
        connection = self.client.connection
        try:
            if self._awaits_bell:
                self.client.parse_response(connection, "BRPOP")
            has_more, malformed, *fetched = self.client.parse_response(connection, "EVAL")
        except Exception:
            connection.disconnect()  # replies may be missing, or left over
            raise
        finally:
            self._in_poll = None
            self._flush_brpop_reauth()
        self._has_more = bool(has_more)
        if malformed:
            logger.error("%s messages could not be read; they are kept in %r", malformed, MALFORMED)
        if not fetched:
            raise Empty
        self._deliver(zip(fetched[::2], fetched[1::2], strict=True))
        return True

    def _deliver(self, fetched: Iterator[tuple[int, bytes]]) -> None:
        """Hand all messages over, even if one of them makes trouble."""
        trouble: Exception | None = None
        self.is_fetching = True
        try:
            for place, item in fetched:
                queue = self._asked[place % len(self._asked)]
                try:
                    message = loads(item)
                except ValueError:
                    self._set_aside(item)
                    continue
                if queue in self._unacknowledging:
                    self.qos.ack(message["properties"]["delivery_tag"])
                try:
                    self.connection._deliver(message, queue)
                except Exception as error:
                    trouble = trouble or error
                self._queue_cycle.rotate(queue)
        finally:
            self.is_fetching = False
        if trouble is not None:
            raise trouble

    def _set_aside(self, item: bytes) -> None:
        self._shared_client.eval(SET_ASIDE, 3, self.unacked_key, self.unacked_index_key, MALFORMED, item)
        logger.error("a message could not be read; it is kept in %r", MALFORMED)

    def _put(self, queue: str, message: Any, _publish_batch: Any = None, **kwargs: Any) -> None:
        if queue in self._expires:
            super()._put(queue, message, _publish_batch=_publish_batch, **kwargs)
            commands: list[tuple[str, tuple[Any, ...]]] = []
        else:
            key = self._q_for_pri(queue, self._get_message_priority(message, reverse=False))
            commands = [("lpush", (key, dumps(message)))]
        commands.append(("eval", (NOTIFY, 1, WAKEUP_KEY % queue)))
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
        """A client; the same one every time."""
        yield client or self._shared_client

    @cached_property
    def _shared_client(self) -> Any:
        return self._create_client()

    def _disconnect_pools(self) -> None:
        self.__dict__.pop("_shared_client", None)
        super()._disconnect_pools()


class Poller(stock.MultiChannelPoller):
    """Sends the acknowledgements of one turn of the hub before it waits for the next."""

    def on_poll_start(self) -> None:
        """Get ready to wait."""
        for channel in self._channels:
            channel.qos.flush()
        super().on_poll_start()


class BulkTransport(stock.Transport):
    """Redis as a broker, with as few round trips as can be; it shares queues with the stock transport."""

    Channel = Channel

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cycle = Poller()
