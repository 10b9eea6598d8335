"""`celery worker -P custom` with `CELERY_CUSTOM_WORKER_POOL=src.queues.pool:AsyncIOPool`."""

import asyncio
import gc
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from celery import signals
from celery.concurrency.base import BasePool
from celery.worker import state

from src.queues.pool.callback_mailbox import CallbackMailbox
from src.queues.pool.concurrency_limiter import ConcurrencyLimiter
from src.queues.pool.event_loop import process_loop
from src.queues.pool.recycle import recycle, send_acknowledgements
from src.queues.pool.task_execution import Callbacks, TaskExecution
from src.queues.pool.watchdog import LOST_AFTER_SECONDS, Watchdog

MAX_THREADS = 32
SHUTDOWN_TICK_SECONDS = 0.2


class Handle:
    """What Celery's request holds of a job.

    Args:
        terminate: Gives the job up.
    """

    def __init__(self, terminate: Callable[[], None]) -> None:
        self._terminate = terminate

    def terminate(self, _signal: object) -> None:
        """Stop the task; the request has announced already what becomes of it."""
        self._terminate()


class AsyncIOPool(BasePool):
    """Runs coroutines side by side on the one loop of the worker's process, and synchronous tasks on threads.

    The consumer has its own thread, so it goes on fetching, answers remote control and keeps time whatever the tasks
    do. Jobs cross to the loop in batches, and what becomes of them crosses back in order.
    """

    signal_safe = False

    def on_start(self) -> None:
        """Start the loop, and open its resources."""
        signals.worker_process_init.send(sender=None)
        # What is there stays: without it among the suspects, collecting garbage costs a third less of all CPU.
        gc.collect()
        gc.freeze()
        thread = process_loop.thread()
        self._loop = thread.loop
        self._hub: Any = None
        self._threads = ThreadPoolExecutor(min(self.limit or 1, MAX_THREADS), thread_name_prefix="sync-task")
        # All jobs, each with its handle; the consumer's thread's.
        self._jobs: dict[TaskExecution, Handle] = {}
        self._places = ConcurrencyLimiter(self.limit, lambda job: self._to_hub.send(self._jobs.pop, job, None))
        self._to_loop = CallbackMailbox(self._loop.call_soon_threadsafe)
        self._to_hub = CallbackMailbox(self._wake_hub)
        self._told = threading.Event()
        lost_after = self.app.conf.get("loop_lost_after_seconds", LOST_AFTER_SECONDS)
        self._watchdog = Watchdog(thread, self._on_blocked, lost_after)
        self._watchdog.start()

    def register_with_event_loop(self, hub: Any) -> None:
        """Learn whose thread hears of the jobs."""
        self._hub = hub

    def on_apply(  # type: ignore[override]  # the stubs say None, which no pool returns
        self,
        target: Callable[..., object],
        args: Any = (),
        kwargs: Any = None,
        *,
        callback: Any,
        accept_callback: Any,
        timeout_callback: Any,
        error_callback: Any,
        soft_timeout: float | None = None,
        timeout: float | None = None,
        **_options: Any,
    ) -> Handle:
        """Take a task from the consumer; never blocks."""
        name, task_id = args[:2]
        job = TaskExecution(
            partial(target, *args, **(kwargs or {})),
            f"{name}[{task_id}]",
            Callbacks(accept_callback, callback, error_callback, timeout_callback),
            self._to_hub.send,
            (soft_timeout or self.options.get("soft_timeout"), timeout or self.options.get("timeout")),
            None if getattr(self.app.tasks[name], "is_async", False) else self._threads,
        )
        self._jobs[job] = handle = Handle(partial(self._abandon, job))
        self._to_loop.send(self._places.enter, job)
        return handle

    def terminate_job(self, pid: int, signal: object = None) -> None:
        """All jobs have this process's id: the request tells the handle of its own as well."""

    def grow(self, n: int = 1) -> None:
        """Run more tasks at once."""
        self.limit += n
        self._to_loop.send(self._places.resize, self.limit)

    def shrink(self, n: int = 1) -> None:
        """Run fewer tasks at once, as soon as enough have ended."""
        self.limit -= n
        self._to_loop.send(self._places.resize, self.limit)

    def on_stop(self) -> None:
        """Wait for the jobs; in a cold shutdown only for those that were not given up."""
        if state.should_terminate:
            self._give_back()
        while not all(job.is_abandoned for job in self._jobs):
            self._told.wait(SHUTDOWN_TICK_SECONDS)
            self._told.clear()
            self._to_hub.deliver()
            if self._hub is not None:  # nobody else does now
                self._hub.fire_timers()
                send_acknowledgements(self._hub)
        self._close()

    def on_terminate(self) -> None:
        """Give up all jobs; their messages are not acknowledged, and go back to the queue."""
        self._give_back()
        for job in self._jobs:
            self._abandon(job)
        self._close()

    def _give_back(self) -> None:
        """Start nothing more."""
        self._to_loop.send(self._places.close)
        for job in self._jobs:
            job.is_abandoned = job.is_abandoned or job.task is None

    def _close(self) -> None:
        self._watchdog.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _get_info(self) -> dict[str, Any]:
        info = super()._get_info()  # type: ignore[misc]  # the stubs leave it out
        return {**info, "running": self._places.taken, "waiting": self._places.waiting}

    def _wake_hub(self, deliver: Callable[[], None]) -> None:
        if self._hub is None:
            deliver()
        else:
            self._hub.call_soon(self._hear)
            self._told.set()

    def _hear(self) -> None:
        self._to_hub.deliver()
        # What this leaves to the hub's next turn would wait until something else wakes it.
        send_acknowledgements(self._hub)

    def _abandon(self, job: TaskExecution) -> None:
        job.is_abandoned = True
        self._to_loop.send(job.cancel)

    def _on_blocked(self, seconds: float) -> None:
        """The loop is lost: fail the task that holds it, lest it do so again, and leave the others to a new process."""
        running = asyncio.current_task(self._loop)
        for job in self._jobs.copy():
            if job.task is not None and job.task is running:
                job.is_abandoned = True
                self._to_hub.send(job.callbacks.timed_out, False, seconds)
        self._to_hub.send(recycle, self._hub)
