import asyncio
from collections.abc import Callable

from src.utils.address import network_of


class UnauthenticatedConnections:
    """Transports that no namespace has accepted: limited in number, in all and per address, and in time.

    One too many closes the oldest, so that nobody keeps others out: clients that do connect are accepted long before.
    Accepted ones are not limited.

    Args:
        maximum: How many a process holds.
        per_address: How many it holds of one address; of IPv6, of one network (/64).
        seconds: How long one may stay.
        close: Called with the id of a transport that has to go.
    """

    def __init__(self, maximum: int, per_address: int, seconds: float, close: Callable[[str], None]) -> None:
        self._maximum = maximum
        self._per_address = per_address
        self._seconds = seconds
        self._close = close
        # Oldest first.
        self._deadlines: dict[str, asyncio.TimerHandle] = {}
        self._by_network: dict[str, dict[str, None]] = {}
        self._networks: dict[str, str] = {}

    def add(self, transport_id: str, address: str) -> None:
        """Add a transport, and start its time anew."""
        self.remove(transport_id)
        network = network_of(address)
        of_network = self._by_network.get(network, {})
        if len(of_network) >= self._per_address:
            self._evict(next(iter(of_network)))
        elif len(self._deadlines) >= self._maximum:
            self._evict(next(iter(self._deadlines)))
        self._by_network.setdefault(network, {})[transport_id] = None
        self._networks[transport_id] = network
        loop = asyncio.get_running_loop()
        self._deadlines[transport_id] = loop.call_later(self._seconds, self._close, transport_id)

    def remove(self, transport_id: str) -> None:
        """Remove a transport that was accepted by a namespace, or is closed."""
        if deadline := self._deadlines.pop(transport_id, None):
            deadline.cancel()
            network = self._networks.pop(transport_id)
            del self._by_network[network][transport_id]
            if not self._by_network[network]:
                del self._by_network[network]

    def _evict(self, transport_id: str) -> None:
        self.remove(transport_id)
        self._close(transport_id)
