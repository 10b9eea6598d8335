"""The event loop of a worker process, on its own thread. Synchronous code submits coroutines to it and waits."""

import asyncio
import atexit
import contextvars
import os
import sys
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, TypeVar

from celery import signals
from celery.exceptions import SoftTimeLimitExceeded

from src.queues.pool.greenlet_bridge import await_in_bridge, in_bridge
from src.queues.pool.soft_limit import SoftLimitedCoroutine

if sys.platform == "win32":
    from asyncio import new_event_loop
else:
    from uvloop import new_event_loop  # the same loop as under uvicorn

STOP_SECONDS = 10
# The kernel may give a signal to another thread: Python runs its handler in the main thread, when that wakes up.
WAKE_SECONDS = 0.5

T = TypeVar("T")
Lifespan = Callable[[], AbstractAsyncContextManager[object]]


class LoopThread:
    """A thread that runs an event loop until `stop`.

    One asyncio task enters and exits the lifespan, so that the resources it opens belong to this loop.

    Args:
        lifespan: Opens the resources that coroutines use.

    Attributes:
        loop: The event loop.
        ident: The identifier of the thread.
    """

    def __init__(self, lifespan: Lifespan) -> None:
        self._lifespan = lifespan
        self._started: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = threading.Thread(target=self._serve, name="event-loop", daemon=True)
        self._thread.start()
        self.loop = self._started.result()
        self.ident = self._thread.ident

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Wait for the coroutine; a soft time limit that Celery raises in this thread is raised in the coroutine."""
        if threading.current_thread() is self._thread:
            return await_in_bridge(SoftLimitedCoroutine(coroutine)) if in_bridge() else _run_in_thread(coroutine)
        call = SoftLimitedCoroutine(coroutine)
        future = asyncio.run_coroutine_threadsafe(call, self.loop)
        while True:
            try:
                return future.result(WAKE_SECONDS)
            except TimeoutError:  # the coroutine's own, if it is done
                if future.done():
                    return future.result()
            except SoftTimeLimitExceeded:
                if future.done():
                    raise
                self.loop.call_soon_threadsafe(call.interrupt)
            except BaseException:
                future.cancel()
                raise

    def stop(self) -> None:
        """Exit the lifespan and cancel running tasks; tasks that resist end with the process."""
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(STOP_SECONDS)

    def _serve(self) -> None:
        try:
            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                runner.run(self._live())
        except BaseException as error:
            if self._started.done():
                raise
            self._started.set_exception(error)

    async def _live(self) -> None:
        self._stopping = asyncio.Event()
        async with self._lifespan():
            self._started.set_result(asyncio.get_running_loop())
            await self._stopping.wait()


class ProcessLoop:
    """Starts this process's event loop on first use; a forked child starts its own.

    Attributes:
        lifespan: Opens the loop's resources; set it before the first coroutine runs.
    """

    def __init__(self) -> None:
        self.lifespan: Lifespan = nullcontext
        self._lock = threading.Lock()
        self._running: tuple[int, LoopThread] | None = None

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Wait for the coroutine, from any thread."""
        try:
            loop = self.thread()
        except BaseException:
            coroutine.close()
            raise
        return loop.run(coroutine)

    def stop(self, **_signal: object) -> None:
        """Close the loop and its resources; the next coroutine starts a new loop."""
        with self._lock:
            running, self._running = self._running, None
        if running is not None and running[0] == os.getpid():
            running[1].stop()

    def thread(self) -> LoopThread:
        """This process's loop thread, started if necessary."""
        with self._lock:
            if self._running is None or self._running[0] != os.getpid():
                self._running = os.getpid(), LoopThread(self.lifespan)
            return self._running[1]


def _run_in_thread(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run on a loop of another thread, blocking this one: for an eager task called inside a task."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(contextvars.copy_context().run, asyncio.run, coroutine).result()


process_loop = ProcessLoop()
atexit.register(process_loop.stop)
signals.worker_process_shutdown.connect(process_loop.stop)
signals.worker_shutdown.connect(process_loop.stop)
