"""The asyncio pool: one worker process runs many tasks on one event loop.

The hub thread reads messages and hands each task to the event loop's thread; there Celery's own tracer runs in a
greenlet, which switches to the loop whenever the task awaits. Outcomes go back to the hub in order. Synchronous tasks
run on threads. The door is `AsyncIOPool`: `celery worker -P custom` with
`CELERY_CUSTOM_WORKER_POOL=src.queues.pool:AsyncIOPool`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from src.queues.pool.asyncio_pool import AsyncIOPool

__all__ = ["AsyncIOPool"]


def __getattr__(name: str) -> Any:
    """Import the pool when a worker asks for it: web processes use the loop and the bridge alone."""
    if name == "AsyncIOPool":
        from src.queues.pool.asyncio_pool import AsyncIOPool

        return AsyncIOPool
    raise AttributeError(name)
