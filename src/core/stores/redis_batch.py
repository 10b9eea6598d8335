import asyncio
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import DataError

Command = tuple[Any, ...]
Batch = list[tuple[Command, asyncio.Future[Any]]]


class RedisBatch:
    """Sends what concurrent requests ask of Redis together: one write and one read for all that is due at a moment.

    Most of a command's cost is the client's, and not the command's. Each caller gets its own command's answer or error.
    Only for commands that may be sent twice, since a batch is tried again on a new connection when the server has
    closed the old one.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._waiting: Batch = []
        self._running: set[asyncio.Task[None]] = set()

    async def execute_command(self, *command: Any) -> Any:
        """Run one command, as `Redis.execute_command` does."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        if not self._waiting:
            # What else this turn of the loop brings comes along.
            loop.call_soon(self._start)
        self._waiting.append((command, answer))
        return await answer

    def _start(self) -> None:
        batch, self._waiting = self._waiting, []
        task = asyncio.create_task(self._send(batch))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(lambda _: _release(batch))

    async def _send(self, batch: Batch) -> None:
        answers: list[Any]
        try:
            answers = await self._ask(batch)
        except Exception as error:
            # Those who wait must hear of it, whatever it is.
            answers = [error] * len(batch)
        for (_, answer), value in zip(batch, answers, strict=True):
            if answer.done():
                continue  # its caller has given up
            if isinstance(value, BaseException):
                answer.set_exception(value)
            else:
                answer.set_result(value)

    async def _ask(self, batch: Batch) -> list[Any]:
        pipeline = self._redis.pipeline(transaction=False)
        for command, _ in batch:
            pipeline.execute_command(*command)
        try:
            return await pipeline.execute(raise_on_error=False)
        except (DataError, UnicodeError):
            # Nothing has left: one of them cannot be written down, and the others must not suffer for it.
            return await asyncio.gather(*(self._ask_alone(command) for command, _ in batch), return_exceptions=True)

    async def _ask_alone(self, command: Command) -> Any:
        return await self._redis.execute_command(*command)  # type: ignore[no-untyped-call]  # redis-py has no types here


def _release(batch: Batch) -> None:
    """Nobody waits for a batch that was cancelled, even before it began."""
    for _, answer in batch:
        answer.cancel()
