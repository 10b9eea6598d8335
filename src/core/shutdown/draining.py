"""Draining: a process that is about to end says so in `/readyz`, and serves until load balancers have noticed."""

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import structlog

log = structlog.get_logger(__name__)

_draining = False


def is_draining() -> bool:
    """Whether SIGTERM has arrived and the process ends soon."""
    return _draining


@contextmanager
def draining(seconds: float, leave: Callable[[], Awaitable[None]]) -> Iterator[None]:
    """During the block, SIGTERM reaches its earlier handler this much later; a second signal reaches it at once.

    Does nothing for 0 seconds, and outside the main thread, where no handlers run.

    Args:
        seconds: For so long everything is served.
        leave: Awaited at their end.
    """
    global _draining
    terminate = signal.getsignal(signal.SIGTERM)
    if not seconds or threading.current_thread() is not threading.main_thread() or not callable(terminate):
        yield
        return
    loop = asyncio.get_running_loop()
    ending: asyncio.Task[None] | None = None

    def begin() -> None:
        nonlocal ending
        if _draining:  # the block may have ended since the signal
            ending = loop.create_task(end())

    async def end() -> None:
        log.info("draining", seconds=seconds)
        await asyncio.sleep(seconds)
        try:
            await leave()
        finally:
            terminate(signal.SIGTERM, None)

    def handle(number: int, frame: FrameType | None) -> None:
        global _draining
        if _draining:
            terminate(number, frame)
            return
        _draining = True
        loop.call_soon_threadsafe(begin)

    signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        if ending is not None:
            ending.cancel()
        signal.signal(signal.SIGTERM, terminate)
        _draining = False
