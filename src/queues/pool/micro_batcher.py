import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from typing import Generic, TypeVar

import structlog

T = TypeVar("T")
R = TypeVar("R")

log = structlog.get_logger(__name__)


class MicroBatcher(Generic[T, R]):
    """Does things in batches: what comes while one is under way makes up the next.

    Args:
        work: Does a batch without blocking the loop, and returns an answer for each item of it.
    """

    def __init__(self, work: Callable[[list[T]], Awaitable[Sequence[R]]]) -> None:
        self._work = work
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._working: asyncio.Task[None] | None = None

    def put(self, item: T) -> asyncio.Future[R]:
        """Have it done soon; nobody has to wait for the answer, for a failure is logged as well."""
        answer = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answer))
        if self._working is None:
            self._working = asyncio.get_running_loop().create_task(self._work_all(), context=Context())
        return answer

    async def _work_all(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                answers = await self._work([item for item, _ in batch])
            except Exception as error:
                log.exception("batch_failed", count=len(batch))
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                        future.exception()  # seen, should nobody wait for it
            else:
                for (_, future), answer in zip(batch, answers, strict=True):
                    if not future.done():  # else its task was cancelled
                        future.set_result(answer)
        self._working = None
