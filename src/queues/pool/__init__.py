"""The asyncio worker pool: one process runs many tasks on one event loop.

    hub thread (Celery's consumer)                event-loop thread
    message → AsyncIOPool.on_apply ──mailbox──→ ConcurrencyLimiter → TaskExecution
                                                GreenletBridge, running Celery's task tracer
                                                  │ switch(awaitable)     ↑ switch(result)
                                                  ↓                       │
                                                the task's coroutine, awaited on the loop
    acknowledge ← request callbacks ←──mailbox── success, failure or timeout

Calls cross threads in order. Synchronous tasks run on a thread pool, and a watchdog thread reports a blocked loop.
Other pools use only the event loop: their processes wait for each coroutine (`process_loop.run`).
Public: `AsyncIOPool`, for `CELERY_CUSTOM_WORKER_POOL=src.queues.pool:AsyncIOPool celery worker -P custom`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from src.queues.pool.asyncio_pool import AsyncIOPool

__all__ = ["AsyncIOPool"]


def __getattr__(name: str) -> Any:
    """Import the pool on first use: web processes need only the event loop and the bridge."""
    if name == "AsyncIOPool":
        from src.queues.pool.asyncio_pool import AsyncIOPool

        return AsyncIOPool
    raise AttributeError(name)
