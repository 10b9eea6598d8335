"""kombu's Sentinel transport, whose connections follow the master."""

from typing import Any

from kombu.transport import redis as stock
from kombu.utils.functional import retry_over_time
from redis.sentinel import SentinelManagedConnection

# How long a worker waits for the new master with a message that it has fetched.
FAILOVER_SECONDS = 60


class MasterConnection(SentinelManagedConnection):
    """Asks a Sentinel for the master each time that it connects.

    redis-py's own connects to the server that it has lost if a command is tried again. After a failover that is a
    replica, and a transaction, which redis-py repeats until it succeeds, would go on forever.
    """

    def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        """Send a command, after connecting if necessary."""
        self.connect()  # type: ignore[no-untyped-call]  # redis leaves it untyped
        super().send_packed_command(command, check_health)  # type: ignore[no-untyped-call]  # as above


class MasterSSLConnection(MasterConnection, stock.SentinelManagedSSLConnection):
    """The same with TLS."""


class QoS(stock.QoS):
    """Records each message that was fetched, however long the change of the master takes."""

    def append(self, message: Any, delivery_tag: str) -> None:
        """Record a message as unacknowledged; kombu has already taken it out of its queue, and gives it up here."""
        channel: Any = self.channel
        retry_over_time(
            super().append,
            channel.connection_errors,
            (message, delivery_tag),
            interval_start=0.1,
            interval_step=0.1,
            timeout=FAILOVER_SECONDS,
        )


class SentinelChannel(stock.SentinelChannel):
    """A channel on the master that Sentinel names."""

    QoS = QoS
    connection_class = MasterConnection
    connection_class_ssl = MasterSSLConnection


class SentinelTransport(stock.SentinelTransport):
    """kombu's Sentinel transport."""

    Channel = SentinelChannel
