"""Messages between Socket.IO servers, and from processes without one: Redis pub/sub in python-socketio's format.

Messages are also appended to a Redis stream, from which clients whose network broke get what they missed.
"""

import asyncio
import itertools
import secrets
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from src.core.realtime.event_data import encode_event_data
from src.core.realtime.positions import position_of
from src.utils.redis_pool import connection_pool
from src.utils.wire import dumps

log = structlog.get_logger(__name__)

T = TypeVar("T")

Outgoing = tuple[str, bool, "asyncio.Future[bool]"]
"""A message as JSON, whether it is kept for replay, and the result: whether Redis has it. A text may be empty."""

CHANNEL = "socketio"
STREAM = "socketio:events"
ATTEMPT_SECONDS = 1
_PAUSE_SECONDS = 1
_BATCH = 100
_MAX_CONCURRENT = 40
"""Reads, and as many writes. The rest of a burst waits: redis-py fails beyond 100 connections, as in an outage."""

# Each entry names the one before it, which shows whether any was removed; each published message names its entry.
_APPEND_AND_PUBLISH = """
local messages, oldest, seconds, channel = unpack(ARGV, 1, 4)
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local previous, is_appended = last and last[1] or '0-0', false
for i = 5, #ARGV, 2 do
    local text = ARGV[i]
    if ARGV[i + 1] == '1' then
        local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', messages, '*', 'message', text, 'previous', previous)
        text = string.sub(text, 1, -2) .. ',"position":"' .. id .. '"}'
        previous, is_appended = id, true
    end
    redis.call('PUBLISH', channel, text)
end
if is_appended then
    redis.call('XTRIM', KEYS[1], 'MINID', '~', oldest)
    redis.call('EXPIRE', KEYS[1], seconds)
end
"""


class EventBusError(Exception):
    """Redis failed or timed out, now or within the last second."""


@dataclass(frozen=True, slots=True)
class ReplaySettings:
    """How much of the past is kept for clients that reconnect.

    Attributes:
        seconds: Age; 0 keeps nothing.
        messages: Number.
    """

    seconds: int = 0
    messages: int = 10_000


class EventBus:
    """Publishes messages at most once, within a second. An event may be lost: clients get the current state by REST.

    Args:
        url: The Redis that all servers subscribe to.
        replay: What is kept of emits and disconnects.
        on_failure: Called with the reason when Redis fails; logs it by default.

    Attributes:
        sender: Random id of this process's bus.
        process: Its first part, by which clients and other processes know this one.
    """

    def __init__(
        self, url: str, replay: ReplaySettings | None = None, on_failure: Callable[[str], None] | None = None
    ) -> None:
        pool = connection_pool(url, retry=Retry(NoBackoff(), 0), socket_connect_timeout=ATTEMPT_SECONDS)
        self.redis = Redis.from_pool(pool)
        self.replay = replay or ReplaySettings()
        self.report_failure = on_failure or _log_failure
        self.sender = secrets.token_hex(16)
        self.process = self.sender[:8]
        self._numbers = itertools.count()
        self._append_script = self.redis.register_script(_APPEND_AND_PUBLISH)
        self._reading = asyncio.Semaphore(_MAX_CONCURRENT)
        self._writing = asyncio.Semaphore(_MAX_CONCURRENT)
        self._broken_until = 0.0
        self._outgoing: deque[Outgoing] = deque()
        self._sending: asyncio.Task[None] | None = None

    async def publish(self, message: dict[str, Any]) -> None:
        """Send a message to all servers, which receive the messages of this process in the order of the calls.

        Raises:
            EventBusError: They may not have received it.
        """
        if not await self._enqueue(dumps(message), is_replayed=self._is_replayed(message)):
            raise EventBusError

    async def last_position(self) -> int:
        """The position of the newest message in the stream; 0 if there is none."""
        newest: Any = await self.redis.xrevrange(STREAM, count=1)
        return position_of(newest[0][0]) if newest else 0

    async def is_alive(self, process: str) -> bool:
        """Whether a process receives messages.

        Redis notices at once that it was killed.

        Raises:
            EventBusError: Redis failed or timed out.
        """
        channel = process_channel(process)
        [(_, count)] = await self.read(lambda: self.redis.pubsub_numsub(channel))
        return bool(count)

    async def flush(self) -> None:
        """Wait until all messages that are being published have reached Redis, or failed."""
        if self._sending:
            await self._enqueue("", is_replayed=False)

    async def read(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run Redis commands with a timeout. Reads may be slow: their failure does not stop publishing.

        Raises:
            EventBusError: Redis failed or timed out.
        """
        async with self._reading:
            return await self._attempt(work)

    async def write(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run Redis commands with a timeout and a circuit breaker, which is open for a second after a failure.

        Raises:
            EventBusError: Redis failed or timed out, or the circuit breaker is open.
        """
        async with self._writing:
            if time.monotonic() < self._broken_until:
                raise EventBusError
            try:
                return await self._attempt(work)
            except EventBusError as error:
                if time.monotonic() >= self._broken_until:
                    self._broken_until = time.monotonic() + _PAUSE_SECONDS
                    self.report_failure(type(error.__cause__).__name__)
                raise

    def build_emit(
        self, event: str, data: Any, namespace: str = "/", room: Any = None, skip: Any = None
    ) -> dict[str, Any]:
        """Build python-socketio's message that emits an event.

        Its `number` is the event's number among those of this process, None if it is not kept for replay.
        """
        arguments, binary = encode_event_data(data)
        return self._message("emit", event=event, data=arguments, binary=binary, namespace=namespace, room=room) | {
            "skip_sid": skip,
            "callback": None,
            "number": next(self._numbers) if self.replay.seconds else None,
        }

    def build_disconnect(self, room: Any, except_room: str | None, namespace: str = "/") -> dict[str, Any]:
        """Build our message that ends the connections in a room (or rooms), except those also in `except_room`."""
        return self._message("disconnect_room", room=room, except_room=except_room, namespace=namespace)

    async def _attempt(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run Redis commands within a second. The time that many clients wait for their turn is no failure of Redis."""
        try:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                return await work()
        except (RedisError, OSError, TimeoutError) as error:
            raise EventBusError from error

    def _message(self, method: str, **fields: Any) -> dict[str, Any]:
        return {"method": method, **fields, "host_id": self.sender}

    def _is_replayed(self, message: dict[str, Any]) -> bool:
        return self.replay.seconds > 0 and (message.get("number") is not None or message["method"] == "disconnect_room")

    async def _enqueue(self, text: str, *, is_replayed: bool) -> bool:
        """Add to what is sent, and return whether Redis has it."""
        is_sent: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._outgoing.append((text, is_replayed, is_sent))
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())
        return await is_sent

    async def _send(self) -> None:
        """Send what is published meanwhile as the next batch: by one connection, for several would change the order."""
        try:
            while self._outgoing:
                batch = [self._outgoing.popleft() for _ in range(min(len(self._outgoing), _BATCH))]
                is_sent = False
                try:
                    with suppress(EventBusError):
                        await self.write(partial(self._append_and_publish, batch))
                        is_sent = True
                finally:
                    _resolve(batch, is_sent=is_sent)
        finally:
            self._sending = None

    async def _append_and_publish(self, batch: Sequence[Outgoing]) -> None:
        """Append first, in one script: the stream contains all that was ever published, in the same order."""
        messages = [argument for text, is_replayed, _ in batch if text for argument in (text, int(is_replayed))]
        oldest = time.time_ns() // 1_000_000 - self.replay.seconds * 1000
        settings = self.replay.messages, oldest, self.replay.seconds, CHANNEL
        if messages:
            await self._append_script([STREAM], [*settings, *messages])


def _resolve(batch: Iterable[Outgoing], *, is_sent: bool) -> None:
    for _, _, sent in batch:
        if not sent.done():  # its caller was cancelled
            sent.set_result(is_sent)


def _log_failure(reason: str) -> None:
    log.warning("event_bus_broken", reason=reason)


def process_channel(process: str) -> str:
    """The channel that a process subscribes to as long as it lives; nothing is published there."""
    return f"{CHANNEL}:process:{process}"
