import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

import structlog

T = TypeVar("T")
R = TypeVar("R")

log = structlog.get_logger(__name__)


class MicroBatcher(Generic[T, R]):
    """Micro-batcher: items that arrive while a batch is in flight form the next batch.

    Args:
        process: Processes a batch without blocking the loop, and returns one result per item.
    """

    def __init__(self, process: Callable[[list[T]], Awaitable[Sequence[R]]]) -> None:
        self._process = process
        self._pending: list[tuple[T, asyncio.Future[R]]] = []
        self._worker: asyncio.Task[None] | None = None

    def put(self, item: T) -> asyncio.Future[R]:
        """Add an item to the next batch; the future holds its result. A failure is logged, so awaiting is optional."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._pending.append((item, future))
        if self._worker is None:
            self._worker = loop.create_task(self._process_pending(), context=Context())
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
        self._worker = None
