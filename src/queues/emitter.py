from collections.abc import Callable, Sequence
from contextlib import suppress

from src.core.realtime.client_list import list_clients
from src.core.realtime.connected_client import ClientList
from src.core.realtime.event_bus import EventBus, EventBusError, ReplaySettings
from src.core.realtime.event_registry import EventRegistry


class RedisEmitter:
    """The unit of work's `EventEmitter` in processes without sockets: Socket.IO servers deliver what it publishes.

    Events are delivered at most once: an event that Redis does not accept within a second is logged and dropped.

    Args:
        url: The Redis database that the servers subscribe to.
        replay: How long events are kept for clients that reconnect; as the servers have it.
        declared: Declared events: only what their payload types declare is sent.
        on_failure: Called with the reason when Redis fails; logs it by default.
        strict: Refuse undeclared events, and payloads whose JSON form differs from that of the declared type.
    """

    def __init__(
        self,
        url: str,
        replay: ReplaySettings | None = None,
        declared: EventRegistry | None = None,
        on_failure: Callable[[str], None] | None = None,
        *,
        strict: bool = False,
    ) -> None:
        self._bus = EventBus(url, replay, on_failure)
        self._declared = declared or EventRegistry()
        self._strict = strict

    def check(self, event: str, data: object) -> None:
        """Raise `UndeclaredEventError` if the payload does not match its declaration."""
        self._declared.convert(event, data, strict=self._strict)

    async def emit(self, event: str, data: object, *, room: str | None = None, namespace: str = "/") -> None:
        """Emit to all clients in `room`, or in the namespace."""
        payload = self._declared.convert(event, data, namespace)
        with suppress(EventBusError):
            await self._bus.publish(self._bus.build_emit(event, payload, namespace, room))

    async def disconnect(self, room: str | Sequence[str], *, except_room: str | None = None) -> None:
        """Disconnect all clients in `room` (or rooms), except those that are in `except_room` too."""
        with suppress(EventBusError):
            await self._bus.publish(self._bus.build_disconnect(room, except_room))

    async def list_clients(self, room: str | None, limit: int) -> ClientList:
        """Find the clients in `room`, or all, in all processes."""
        return await list_clients(self._bus, room, limit)

    @property
    def process(self) -> str:
        """The name by which the other processes know this one."""
        return self._bus.process

    @property
    def is_listening(self) -> bool:
        """Always true: no clients are connected to this process."""
        return True

    async def aclose(self) -> None:
        """Close the Redis connections."""
        await self._bus.redis.aclose()
