import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

import structlog
from redis.exceptions import ConnectionError as RedisConnectionError
from socketio.async_pubsub_manager import AsyncPubSubManager

from src.core.realtime.client_list import LIST_CLIENTS, answer, list_clients
from src.core.realtime.connected_client import ClientList
from src.core.realtime.event_bus import CHANNEL, EventBus, EventBusError
from src.core.realtime.event_data import decode_event_data
from src.core.realtime.positions import position_of
from src.websockets.engine.metrics import INVALID_MESSAGES, PUBLISH_FAILURES
from src.websockets.engine.overrides.local_manager import LocalManager
from src.websockets.engine.subscriber import Subscriber
from src.websockets.recovery import Offset

OURS = (LIST_CLIENTS, "disconnect_room")

log = structlog.get_logger(__name__)


class RedisManager(AsyncPubSubManager, LocalManager):  # type: ignore[misc]  # its base is untyped
    """Client manager that reaches the clients of other processes through an `EventBus`.

    Its own clients are served whatever Redis does, and callers wait for Redis a second at most. python-socketio's
    `AsyncRedisManager` speaks the same protocol, but waits for Redis without limit.
    """

    def __init__(self, bus: EventBus) -> None:
        """python-socketio generates `host_id`, but the bus builds messages; `thread` is missing until `initialize`."""
        super().__init__(channel=CHANNEL)
        self.host_id = bus.sender
        self.thread: asyncio.Task[None] | None = None
        self._bus = bus
        self.process = bus.process
        self.delivery.handled = Offset(process=bus.process)
        self._is_invalid_logged = False
        self._subscriber = Subscriber(bus, self._resume)

    @property
    def is_listening(self) -> bool:
        """Whether events of other processes arrive; True until there is a client to deliver them to."""
        return self._subscriber.is_listening

    def initialize(self) -> None:
        """Called with the first client: from now on events of other processes are needed."""
        self._subscriber.is_listening = False
        super().initialize()

    async def emit(self, event: str, data: Any, namespace: str, room: Any = None, **options: Any) -> None:
        """python-socketio's message has no number, which recovery needs."""
        if options.get("callback") or options.get("ignore_queue"):
            await super().emit(event, data, namespace, room, **options)
            return
        room, skip_sid = options.get("to") or room, options.get("skip_sid")
        message = self._bus.build_emit(event, data, namespace, room, skip_sid)
        number = message["number"]
        offset = None if number is None else self.delivery.handled._replace(number=number)
        self.deliver(event, data, namespace, room, skip_sid, offset)
        await self._publish(message)

    async def disconnect_room(self, room: str | Sequence[str], except_room: str | None, namespace: str) -> None:
        """Disconnect here, then in the other processes."""
        await super().disconnect_room(room, except_room, namespace)
        await self._publish(self._bus.build_disconnect(room, except_room, namespace))

    async def list_clients(self, room: str | None, limit: int) -> ClientList:
        """Find clients in all processes: at most `limit` of each.

        Raises:
            RedisError: Redis failed or timed out.
        """
        try:
            return await list_clients(self._bus, room, limit)
        except EventBusError as error:
            raise error.__cause__ or RedisConnectionError("The question could not be published.") from error

    async def prepare(self) -> None:
        """The first client would miss what others emit before the process listens."""
        await self._subscriber.attempted()

    async def aclose(self) -> None:
        """Stop listening, and close the connections to Redis."""
        while self.thread is not None:
            self.thread.cancel()  # repeatedly: redis-py swallows a cancellation while it subscribes
            if (await asyncio.wait([self.thread], timeout=0.1))[0]:
                self.thread = None
        await self._bus.redis.aclose()

    def _resume(self) -> None:
        """Begin with what was in the stream before the subscription."""
        self.delivery.handled = self.delivery.handled.at_least(self._subscriber.position)
        self.server.resume()

    async def _publish(self, data: dict[str, Any]) -> None:
        """Left to subclasses by python-socketio."""
        try:
            await self._bus.publish(data)
        except EventBusError:
            PUBLISH_FAILURES.inc()

    async def _listen(self) -> AsyncIterator[dict[str, Any]]:
        """Left to subclasses by python-socketio; handles our own messages, and positions, as well."""
        async with aclosing(self._subscriber.messages()) as messages:
            async for message in messages:
                try:
                    data: dict[str, Any] = self.json.loads(message)
                    data["position"] = position_of(data.get("position", "0-0"))
                    is_ours, is_own = data["method"] in OURS, data.get("host_id") == self.host_id
                    if is_ours:
                        await self._handle_ours(data, is_own=is_own)
                except Exception as error:  # whatever it contains: the others are waited for
                    INVALID_MESSAGES.inc()
                    if not self._is_invalid_logged:
                        log.error("invalid_messages", channel=CHANNEL, reason=repr(error)[:200])
                    self._is_invalid_logged = True
                else:
                    if is_ours or is_own:
                        self.delivery.handled = self.delivery.handled.at_least(data["position"])
                    if not is_ours:
                        yield data

    async def _handle_ours(self, data: dict[str, Any], *, is_own: bool) -> None:
        if data["method"] == LIST_CLIENTS:
            found = self.own_clients(data["room"], data["limit"])
            self.server.start_background_task(answer, self._bus, data, found)
        elif not is_own:
            await super().disconnect_room(data["room"], data["except_room"], data["namespace"])

    async def _handle_emit(self, message: dict[str, Any]) -> None:
        """python-socketio's ignores `position`."""
        if message.get("callback"):
            await super()._handle_emit(message)
            return
        namespace, room, skip_sid = message.get("namespace") or "/", message.get("room"), message.get("skip_sid")
        offset = self.delivery.handled.at_least(position) if (position := message.get("position")) else None
        self.deliver(message["event"], decode_event_data(message), namespace, room, skip_sid, offset)
