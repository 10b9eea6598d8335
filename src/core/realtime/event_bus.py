"""How Socket.IO servers, and processes without one, reach each other: python-socketio's messages on a Redis channel."""

import asyncio
import base64
import itertools
import json
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from socketio.packet import Packet

log = structlog.get_logger(__name__)

T = TypeVar("T")

CHANNEL = "socketio"
STREAM = "socketio:events"
ATTEMPT_SECONDS = 1
_PAUSE_SECONDS = 1


class EventBusError(Exception):
    """Redis did not answer in time, or not a moment ago."""


@dataclass(frozen=True, slots=True)
class ReplaySettings:
    """What is kept for clients that come back.

    Attributes:
        seconds: How long; with 0 nothing is.
        messages: How many at most.
    """

    seconds: int = 0
    messages: int = 10_000


class EventBus:
    """Sends messages within a second or not at all: events are hints, the truth stays behind REST.

    Args:
        url: The Redis that all servers listen on.
        memory: Whether emits and disconnects are kept in a stream as well, for clients whose network broke meanwhile.
    """

    def __init__(self, url: str, memory: ReplaySettings | None = None) -> None:
        self.redis = Redis.from_url(url, retry=Retry(NoBackoff(), 0), socket_connect_timeout=ATTEMPT_SECONDS)
        self.memory = memory or ReplaySettings()
        self.sender = secrets.token_hex(16)
        self._numbers = itertools.count()
        self._broken_until = 0.0
        self._underway: set[asyncio.Future[None]] = set()

    async def publish(self, message: dict[str, Any]) -> None:
        """Tell all servers.

        Raises:
            EventBusError: They may not have heard.
        """
        text = json.dumps(message)
        sent: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._underway.add(sent)
        try:
            await self.attempt(lambda: self._keep_and_publish(text) if _is_kept(message, self) else self._publish(text))
        finally:
            self._underway.discard(sent)
            sent.set_result(None)

    async def commit_invalidation(self) -> None:
        """Wait for what is on its way to Redis."""
        if self._underway:
            await asyncio.wait(list(self._underway))

    async def ask(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do something with Redis that may take long, and which says nothing about publishing.

        Raises:
            EventBusError: It did not work in time.
        """
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                return await work()
        except (RedisError, OSError, TimeoutError) as error:
            raise EventBusError from error

    async def attempt(self, work: Callable[[], Awaitable[T]]) -> T:
        """Do something with Redis, unless it failed a moment ago.

        Raises:
            EventBusError: It did, or it does now.
        """
        if time.monotonic() < self._broken_until:
            raise EventBusError
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                return await work()
        except (RedisError, OSError, TimeoutError) as error:
            if time.monotonic() >= self._broken_until:
                self._broken_until = time.monotonic() + _PAUSE_SECONDS
                log.warning("socket_channel_broken", reason=type(error).__name__)
            raise EventBusError from error

    def emit(self, event: str, data: Any, namespace: str = "/", room: Any = None, skip: Any = None) -> dict[str, Any]:
        """The message that emits an event, as python-socketio writes it; `offset` names it for clients."""
        arguments: Any = list(data) if isinstance(data, tuple) else [data]
        binary = Packet.data_is_binary(arguments)
        if binary:
            structure, attachments = Packet.deconstruct_binary(arguments)
            arguments = [structure, *(base64.b64encode(attachment).decode() for attachment in attachments)]
        return self._message("emit", event=event, data=arguments, binary=binary, namespace=namespace, room=room) | {
            "skip_sid": skip,
            "callback": None,
            "offset": self._offset() if self.memory.seconds else None,
        }

    def disconnect(self, room: Any, spare: str | None, body: Any, namespace: str = "/") -> dict[str, Any]:
        """The message that ends the connections of everyone in a room (or rooms), but for those in `spare` as well."""
        return self._message("disconnect_room", room=room, spare=spare, namespace=namespace, body=body)

    def _message(self, method: str, **fields: Any) -> dict[str, Any]:
        return {"method": method, **fields, "host_id": self.sender}

    def _offset(self) -> str:
        """When, by whom, and which of theirs."""
        return f"{time.time_ns() // 1_000_000}-{self.sender[:8]}-{next(self._numbers)}"

    async def _publish(self, text: str) -> None:
        await self.redis.publish(CHANNEL, text)

    async def _keep_and_publish(self, text: str) -> None:
        """Kept first: whoever comes back finds in the stream whatever was published before."""
        pipeline: Any = self.redis.pipeline(transaction=False)
        pipeline.xadd(STREAM, {"message": text}, maxlen=self.memory.messages, approximate=True)
        oldest = time.time_ns() // 1_000_000 - self.memory.seconds * 1000
        pipeline.xtrim(STREAM, minid=oldest, approximate=True)
        pipeline.expire(STREAM, self.memory.seconds)
        pipeline.publish(CHANNEL, text)
        await pipeline.execute()


def payload(message: dict[str, Any]) -> Any:
    """What a message emits: one argument, or a tuple of several."""
    arguments = message["data"]
    if message.get("binary"):
        structure, *attachments = arguments
        arguments = Packet.reconstruct_binary(structure, [base64.b64decode(attachment) for attachment in attachments])
    if not isinstance(arguments, list):
        return arguments
    return arguments[0] if len(arguments) == 1 else tuple(arguments)


def _is_kept(message: dict[str, Any], channel: EventBus) -> bool:
    return channel.memory.seconds > 0 and (message.get("offset") is not None or message["method"] == "disconnect_room")
