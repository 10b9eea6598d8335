"""A connection pool that serves callers in the order in which they asked."""

import asyncio
import logging
from collections import deque

from sqlalchemy.pool import AsyncAdaptedQueuePool, ConnectionPoolEntry
from sqlalchemy.util import await_
from sqlalchemy.util.queue import AsyncAdaptedQueue, Empty
from typing_extensions import override

# As SQLAlchemy does for its own pools.
logging.getLogger(__name__).setLevel(logging.WARNING)


class FairQueue(AsyncAdaptedQueue[ConnectionPoolEntry]):
    """Hands each returned connection to the caller who has waited longest.

    SQLAlchemy's queue only wakes that caller: one that asks in the meantime takes the connection, and the woken caller
    waits again behind all others. Under load a few callers wait until they time out.
    """

    def __init__(self, maxsize: int = 0, use_lifo: bool = False) -> None:
        super().__init__(maxsize, use_lifo)
        self._waiters: deque[asyncio.Future[ConnectionPoolEntry]] = deque()

    @override
    def put_nowait(self, item: ConnectionPoolEntry) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(item)
                return
        super().put_nowait(item)

    @override
    def get(self, block: bool = True, timeout: float | None = None) -> ConnectionPoolEntry:
        if not block or not self.empty():
            return self.get_nowait()
        return await_(self._wait(timeout))

    async def _wait(self, seconds: float | None) -> ConnectionPoolEntry:
        waiter: asyncio.Future[ConnectionPoolEntry] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(seconds):
                return await waiter
        except BaseException as error:
            if waiter.done() and not waiter.cancelled():  # it got a connection in the same moment
                self.put_nowait(waiter.result())
            if isinstance(error, TimeoutError):
                raise Empty from error
            raise


class FairPool(AsyncAdaptedQueuePool):
    """SQLAlchemy's pool for asyncio, with a `FairQueue`."""

    _queue_class = FairQueue
