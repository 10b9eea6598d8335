import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from typing import NamedTuple

import structlog
from celery import states

log = structlog.get_logger(__name__)


class Result(NamedTuple):
    """A result to store: its key, what is stored there, for how many seconds (0: forever), and the task's state."""

    key: str
    value: str
    expires_seconds: int
    state: str

    def is_late_after(self, known: "Result") -> bool:
        """Whether it was overtaken: success is for good, and a retry may end before its predecessor has said so."""
        ended = known.state in states.READY_STATES
        return known.state == states.SUCCESS or (self.state == states.RETRY and ended)


class ResultWriter:
    """Stores results off the loop, in batches: what comes while one batch is under way makes up the next.

    Args:
        write: Stores a batch; blocks.
        executor: The thread that it blocks.
    """

    def __init__(self, write: Callable[[list[Result]], object], executor: Executor) -> None:
        self._write = write
        self._executor = executor
        # Of one task's states only the last is written.
        self._batch: dict[str, Result] = {}
        self._waiters: list[asyncio.Future[None]] = []
        self._writing: asyncio.Task[None] | None = None

    def put(self, result: Result) -> None:
        """Store it soon; failing to is logged."""
        known = self._batch.get(result.key)
        if known is None or not result.is_late_after(known):
            self._batch[result.key] = result
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())

    def written(self) -> asyncio.Future[None]:
        """What is done once everything put so far has been stored, or fails as storing it failed."""
        future = asyncio.get_running_loop().create_future()
        self._waiters.append(future)
        return future

    async def _write_all(self) -> None:
        while self._batch:
            batch, self._batch = list(self._batch.values()), {}
            waiters, self._waiters = self._waiters, []
            try:
                await asyncio.get_running_loop().run_in_executor(self._executor, self._write, batch)
            except Exception as error:
                log.exception("results_not_stored", count=len(batch))
                _settle(waiters, error)
            else:
                _settle(waiters)
        self._writing = None


def _settle(waiters: list[asyncio.Future[None]], error: Exception | None = None) -> None:
    for waiter in waiters:
        if waiter.done():  # its task was cancelled
            continue
        if error is None:
            waiter.set_result(None)
        else:
            waiter.set_exception(error)
