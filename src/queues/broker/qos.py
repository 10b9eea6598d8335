import time
from contextlib import suppress
from typing import Any

from kombu.log import get_logger
from kombu.transport import redis as stock
from kombu.transport.virtual import QoS as VirtualQoS

from src.queues.broker.malformed import MALFORMED_KEY, UNREADABLE

logger = get_logger(__name__)

# Acknowledgements are sent at every turn of the hub, or by the next `ack` when the last turn is this long ago.
FLUSH_SECONDS = 0.05
# Per process, not per channel: a task may finish after its message's connection was lost.
_acknowledged: list[str] = []


class QoS(stock.QoS):
    """Sends the acknowledgements of one turn of the hub together."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._flushed_at = 0.0

    def append(self, message: Any, delivery_tag: str) -> None:
        """Keep a message until it is acknowledged; the fetch script has already recorded it in Redis."""
        if self.channel.is_fetching:
            VirtualQoS.append(self, message, delivery_tag)
        else:
            super().append(message, delivery_tag)

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge a message with the next flush."""
        VirtualQoS.ack(self, delivery_tag)
        _acknowledged.append(delivery_tag)
        if time.monotonic() - self._flushed_at > FLUSH_SECONDS:
            with suppress(*self.channel.connection_errors):  # the hub's next turn meets the error
                self.flush()

    def flush(self) -> None:
        """Send the collected acknowledgements; on an error they are kept for the next flush, on any connection."""
        transport = self.channel.connection
        if not _acknowledged or transport is None or transport.client is None:  # the connection was given up
            return
        tags = _acknowledged.copy()
        try:
            with self.pipe_or_acquire() as pipe:
                pipe.zrem(self.unacked_index_key, *tags).hdel(self.unacked_key, *tags).execute()
            del _acknowledged[: len(tags)]
        finally:
            self._flushed_at = time.monotonic()

    def restore_visible(self, *args: Any, **kwargs: Any) -> None:
        """Return messages of lost workers to their queues; take kombu's lock only if there are any."""
        with self.channel.conn_or_acquire() as client:
            expired = client.zcount(self.unacked_index_key, 0, time.time() - self.visibility_timeout)
        if expired:
            super().restore_visible(*args, **kwargs)

    def restore_by_tag(self, tag: str, client: Any = None, leftmost: bool = False) -> None:
        """Return a message to its queue; one that cannot be read is set aside, so that it blocks no others."""
        try:
            super().restore_by_tag(tag, client, leftmost)
        except UNREADABLE:
            with self.channel.conn_or_acquire(client) as redis, redis.pipeline() as pipe:
                record = redis.hget(self.unacked_key, tag)
                pipe.zrem(self.unacked_index_key, tag).hdel(self.unacked_key, tag).lpush(
                    MALFORMED_KEY, record
                ).execute()
            logger.error("a malformed message was moved to %r", MALFORMED_KEY)

    def restore_unacked_once(self, stderr: Any = None) -> None:
        """Acknowledge what is finished, then return the other messages to their queues; called when a channel closes.

        kombu restores only if messages are unacknowledged, so acknowledgements have to be sent before it decides.
        """
        try:
            self.flush()
        except self.channel.connection_errors as error:
            logger.debug("acknowledgements are kept for the next connection: %s", error)
        super().restore_unacked_once(stderr)
