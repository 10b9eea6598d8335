"""The Redis client of a process: redis-py's own, with coalesced commands and typed values."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from redis.asyncio.client import Pipeline
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import DataError, RedisError
from typing_extensions import override

from src.core.config.stores import RedisSettings
from src.core.exceptions import ConflictError
from src.core.stores.redis_values import RedisValues
from src.utils.redis_pool import connection_pool

# fmt: off
# Commands that block, or that change the state of their connection, must not share one.
_OWN_CONNECTION = frozenset({
    "BLPOP", "BRPOP", "BRPOPLPUSH", "BLMOVE", "BLMPOP", "BZPOPMIN", "BZPOPMAX", "BZMPOP", "XREAD", "XREADGROUP",
    "WAIT", "WAITAOF", "AUTH", "CLIENT", "HELLO", "MONITOR", "MULTI", "EXEC", "DISCARD", "WATCH", "UNWATCH", "PSYNC",
    "QUIT", "RESET", "SELECT", "SYNC", "SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE",
    "SUNSUBSCRIBE",
})
# fmt: on

_LOCK_POLL_SECONDS = 0.02

Command = tuple[tuple[Any, ...], dict[str, Any], asyncio.Future[Any]]


class RedisClient(RedisValues):
    """redis-py's client: every method of `redis.asyncio.Redis` is here.

    Commands that are issued in the same iteration of the event loop leave in one pipeline: most of a command's cost is
    the client's write and read. Each caller gets the reply or the error of their own command. As with redis-py, a
    command whose connection breaks is sent once more, and may then run twice.

    Errors of the connection are redis-py's; they are rendered as a 503.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._waiting: list[Command] = []
        self._sending: set[asyncio.Task[None]] = set()

    @override
    async def execute_command(self, *command: Any, **options: Any) -> Any:
        """Run one command, in a pipeline with those that are issued in the same iteration of the event loop."""
        if str(command[0]).partition(" ")[0].upper() in _OWN_CONNECTION:
            return await self._execute_alone(*command, **options)
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[Any] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._start_sending)
        self._waiting.append((command, options, reply))
        return await reply

    def _start_sending(self) -> None:
        batch, self._waiting = self._waiting, []
        task = asyncio.create_task(self._send(batch))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
        # A task that is cancelled before it starts sends nothing; its callers must not wait for it.
        task.add_done_callback(lambda _: [reply.cancel() for _, _, reply in batch])

    async def _send(self, batch: list[Command]) -> None:
        try:
            replies = await self._execute(batch)
        except Exception as error:
            replies = [error] * len(batch)
        for (_, _, reply), value in zip(batch, replies, strict=True):
            if reply.done():
                continue  # the caller was cancelled
            if isinstance(value, BaseException):
                reply.set_exception(value)
            else:
                reply.set_result(value)

    async def _execute(self, batch: list[Command]) -> list[Any]:
        if len(batch) > 1:
            pipeline = self.pipeline(transaction=False)
            for command, options, _ in batch:
                pipeline.execute_command(*command, **options)
            # An error means that nothing was sent: one command cannot be encoded, and must not fail the others.
            with suppress(DataError, UnicodeError):
                return await pipeline.execute(raise_on_error=False)
        replies: list[Any] = []
        for command, options, _ in batch:
            try:
                replies.append(await self._execute_alone(*command, **options))
            except Exception as error:
                replies.append(error)
        return replies

    async def _execute_alone(self, *command: Any, **options: Any) -> Any:
        return await super().execute_command(*command, **options)  # type: ignore[no-untyped-call]  # redis-py has no types here

    @asynccontextmanager
    async def atomic(self) -> AsyncIterator["RedisTransaction"]:
        """Send the commands of the block in one round trip at its end, all or none (MULTI, EXEC).

        Only for writes: replies, counts included, are not there before the block has ended. If the block raises,
        nothing is sent.
        """
        async with RedisTransaction(self.connection_pool, self.response_callbacks, True, None) as transaction:
            yield transaction
            await transaction.execute()

    @asynccontextmanager
    async def exclusive(self, name: str, *, seconds: float, wait_seconds: float = 0) -> AsyncIterator[None]:
        """Hold a lock that is shared by all processes during the block, but for `seconds` at most.

        Raises:
            ConflictError: The lock was not free within `wait_seconds`.
        """
        lock = self.lock(f"lock:{name}", timeout=seconds, blocking_timeout=wait_seconds, sleep=_LOCK_POLL_SECONDS)
        if not await lock.acquire():
            raise ConflictError("Somebody else is doing this.", error="resource.locked")
        try:
            yield
        finally:
            # The lock has expired and may belong to somebody else, or Redis is down and it will expire.
            with suppress(RedisError):
                await lock.release()


class RedisTransaction(RedisValues, Pipeline):  # type: ignore[misc]  # redis-py's own classes contradict each other
    """Commands that are sent together, by `RedisClient.atomic`."""


def create_redis(settings: RedisSettings, name: str | None = None) -> RedisClient:
    """A client whose calls fail within `REDIS_TIMEOUT_SECONDS` instead of waiting and retrying.

    Args:
        settings: The Redis and its limits.
        name: What Redis calls the connections in `CLIENT LIST`.
    """
    pool = connection_pool(
        settings.url,
        client_name=name,
        max_connections=settings.max_connections,
        socket_timeout=settings.timeout_seconds,
        socket_connect_timeout=settings.timeout_seconds,
        # Once, for a connection that the server closed while it was idle; never after a timeout.
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        decode_responses=True,
        encoding_errors="surrogateescape",  # bytes that are no UTF-8 must not make a reply unreadable
    )
    client = RedisClient(connection_pool=pool)
    client.auto_close_connection_pool = True
    return client
