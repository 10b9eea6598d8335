"""Resource limits of a Socket.IO server and of each client."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits per client, unless stated otherwise.

    Attributes:
        events_per_second: Sustained rate of events.
        burst: Events accepted at once.
        running: Events that run concurrently; the rest of a burst is queued.
        violations: Rejected events before the client is dropped; one is forgiven each second.
        queued_packets: Packets waiting to be read by the client.
        queued_bytes: Total size of those packets.
        attachments: Binary attachments of one event.
        payload_bytes: Size of one packet.
        connect_seconds: How long a transport may stay unauthenticated, that is, accepted by no namespace.
        unauthenticated_connections: Unauthenticated transports per process; one more closes the oldest.
        unauthenticated_per_address: The same for one IP address.
        event_seconds: How long an event or a connect may run until it is cancelled with TimeoutError; None is endless.
        drain_seconds: How long running events may continue when the server shuts down.
    """

    events_per_second: float = 100
    burst: int = 200
    running: int = 32
    violations: int = 100
    queued_packets: int = 2000
    queued_bytes: int = 4 * 1024 * 1024
    attachments: int = 10
    payload_bytes: int = 256 * 1024
    connect_seconds: float = 20
    unauthenticated_connections: int = 1000
    unauthenticated_per_address: int = 500
    event_seconds: float | None = None
    drain_seconds: float = 3

    @property
    def packets_per_request(self) -> int:
        """Packets of one polling request: with more events, attachments included, the client would be dropped."""
        return (self.burst + self.violations) * (1 + self.attachments)
