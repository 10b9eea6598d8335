"""Who is where in all processes, through Redis."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

import socketio
import structlog
from redis.exceptions import RedisError

from src.core.realtime.event_bus import ATTEMPT_SECONDS, CHANNEL, EventBus, EventBusError, payload
from src.websockets.engine.manager import LocalManager
from src.websockets.engine.metrics import PUBLISH_FAILURES

log = structlog.get_logger(__name__)

_HEARTBEAT_SECONDS = 5
_RETRY_SECONDS = 1


class RedisManager(socketio.AsyncRedisManager, LocalManager):  # type: ignore[misc]  # its base is untyped
    """Joins the processes through Redis: local clients are served whatever Redis does, and no caller waits for it long.

    Attributes:
        is_listening: Whether events of other processes arrive.
    """

    def __init__(self, channel: EventBus) -> None:
        super().__init__(channel=CHANNEL)
        self._bus = channel
        self.host_id = channel.sender
        self.thread: asyncio.Task[None] | None = None

    async def emit(
        self,
        event: str,
        data: Any,
        namespace: str,
        room: Any = None,
        skip_sid: Any = None,
        callback: Any = None,
        to: Any = None,
        offset: str | None = None,
        **options: Any,
    ) -> None:
        """Emit here, then in the other processes."""
        if callback or options.get("ignore_queue"):
            await super().emit(event, data, namespace, room, skip_sid, callback, to, **options)
            return
        message = self._bus.emit(event, data, namespace, to or room, skip_sid)
        await LocalManager.emit(self, event, data, namespace, to or room, skip_sid, offset=message["offset"])
        await self._publish(message)

    async def disconnect_room(self, room: str | Sequence[str], spare: str | None, namespace: str, body: Any) -> None:
        """Do it here, then in the other processes."""
        await super().disconnect_room(room, spare, namespace, body)
        await self._publish(self._bus.disconnect(room, spare, body, namespace))

    async def aclose(self) -> None:
        """Stop listening."""
        while self.thread is not None:
            self.thread.cancel()  # again, if need be: while it subscribes, redis swallows it
            if (await asyncio.wait([self.thread], timeout=0.1))[0]:
                self.thread = None
        await self._bus.redis.aclose()

    def initialize(self) -> None:
        """Begin to listen, with the first client."""
        self.is_listening = False
        super().initialize()

    async def _publish(self, data: dict[str, Any]) -> None:
        """Tell the other processes, within a second or not at all."""
        try:
            await self._bus.publish(data)
        except EventBusError:
            PUBLISH_FAILURES.inc()

    async def _listen(self) -> AsyncIterator[dict[str, Any]]:
        """What other processes published; a connection that says nothing is asked, and replaced when it is dead."""
        while True:
            pubsub = self._bus.redis.pubsub(ignore_subscribe_messages=True)
            try:
                async with asyncio.timeout(ATTEMPT_SECONDS):
                    await pubsub.subscribe(self.channel)
                self.is_listening = True
                self.server.resume()
                async for message in _messages(pubsub):
                    if (data := await self._own(message)) is not None:
                        yield data
            except (RedisError, OSError, TimeoutError) as error:
                log.warning("subscription_lost", reason=type(error).__name__)
            finally:
                self.is_listening = False
                await pubsub.aclose()  # type: ignore[no-untyped-call]  # redis leaves it untyped
            await asyncio.sleep(_RETRY_SECONDS * (0.5 + random.random()))  # noqa: S311 - spreads reconnects

    async def _own(self, message: bytes) -> dict[str, Any] | None:
        """Do what python-socketio does not know; the rest is its own."""
        try:
            data: dict[str, Any] = self.json.loads(message)
            if data["method"] != "disconnect_room":
                return data
            if data["host_id"] != self.host_id:
                await super().disconnect_room(data["room"], data["spare"], data["namespace"], data["body"])
        except (KeyError, TypeError, json.JSONDecodeError):
            log.warning("message_not_understood")
        return None

    async def _handle_emit(self, message: dict[str, Any]) -> None:
        """Emit here what another process emitted."""
        if message.get("callback"):
            await super()._handle_emit(message)
            return
        namespace, room, skipped = message.get("namespace") or "/", message.get("room"), message.get("skip_sid")
        offset = message.get("offset")
        await LocalManager.emit(self, message["event"], payload(message), namespace, room, skipped, offset=offset)


async def _messages(pubsub: Any) -> AsyncIterator[bytes]:
    asked = False
    while True:
        message = await pubsub.get_message(timeout=_HEARTBEAT_SECONDS)
        if message is not None:
            asked = False
            if message["type"] == "message":
                yield message["data"]
        elif asked:
            raise TimeoutError
        else:
            asked = True
            async with asyncio.timeout(ATTEMPT_SECONDS):
                await pubsub.ping()
