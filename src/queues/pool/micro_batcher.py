import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

import structlog

T = TypeVar("T")
R = TypeVar("R")

log = structlog.get_logger(__name__)


class MicroBatcher(Generic[T, R]):
    """Micro-batcher: items that arrive while batches are in flight form the next batch.

    Args:
        process: Processes a batch without blocking the loop, and returns one result per item.
        in_flight: How many batches are processed at once.
    """

    def __init__(self, process: Callable[[list[T]], Awaitable[Sequence[R]]], in_flight: int = 1) -> None:
        self._process = process
        self._in_flight = in_flight
        self._pending: list[tuple[T, asyncio.Future[R]]] = []
        self._workers: set[asyncio.Task[None]] = set()

    def put(self, item: T) -> asyncio.Future[R]:
        """Add an item to the next batch; the future holds its result. A failure is logged, so awaiting is optional."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._pending.append((item, future))
        if len(self._pending) == 1 and len(self._workers) < self._in_flight:
            self._workers.add(loop.create_task(self._process_pending(), context=Context()))
        return future

    async def _process_pending(self) -> None:
        while self._pending:
            batch, self._pending = self._pending, []
            try:
                results = await self._process([item for item, _ in batch])
            except Exception as error:
                log.exception("batch_failed", count=len(batch))
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                        future.exception()  # mark as retrieved, in case nobody awaits the future
            else:
                for (_, future), result in zip(batch, results, strict=True):
                    if not future.done():  # its task may have been cancelled
                        future.set_result(result)
        self._workers.discard(asyncio.current_task())
