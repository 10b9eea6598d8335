import time
from typing import Any

from kombu.transport import redis as stock
from kombu.transport.virtual import QoS as VirtualQoS

# Acknowledgements are sent at every turn of the hub, and by themselves after this long without one.
FLUSH_SECONDS = 0.05
# Of the process and its broker, not of a channel: a task may end after the connection that brought it.
_acknowledged: list[str] = []


class QoS(stock.QoS):
    """Acknowledges many messages in one step, once for each turn of the hub."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._flushed_at = 0.0

    def append(self, message: Any, delivery_tag: str) -> None:
        """Hold a message until it is acknowledged; one that was fetched is recorded in Redis already."""
        if self.channel.is_fetching:
            VirtualQoS.append(self, message, delivery_tag)
        else:
            super().append(message, delivery_tag)

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge a message, shortly."""
        VirtualQoS.ack(self, delivery_tag)
        _acknowledged.append(delivery_tag)
        if time.monotonic() - self._flushed_at > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Send the acknowledgements; those that could not be sent are kept for the next time, or connection."""
        if not _acknowledged or self.channel.connection is None:
            return
        tags = _acknowledged.copy()
        with self.pipe_or_acquire() as pipe:
            pipe.zrem(self.unacked_index_key, *tags).hdel(self.unacked_key, *tags).execute()
        del _acknowledged[: len(tags)]
        self._flushed_at = time.monotonic()

    def restore_visible(self, *args: Any, **kwargs: Any) -> None:
        """Put what a lost worker had back into its queue; each second a look, and kombu's lock only if there is any."""
        with self.channel.conn_or_acquire() as client:
            is_late = client.zcount(self.unacked_index_key, 0, time.time() - self.visibility_timeout)
        if is_late:
            super().restore_visible(*args, **kwargs)

    def restore_unacked(self, client: Any = None) -> None:
        """Put what was not acknowledged back into its queue."""
        self.flush()
        super().restore_unacked(client)
