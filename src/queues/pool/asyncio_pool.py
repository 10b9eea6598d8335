"""The pool class that Celery's worker creates and calls, in the hub thread."""

import asyncio
import atexit
import gc
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from celery import signals
from celery.concurrency.base import BasePool
from celery.concurrency.prefork import _run_ready_callbacks  # type: ignore[attr-defined]  # missing from the stubs
from celery.exceptions import ImproperlyConfigured
from celery.platforms import EX_FAILURE
from celery.worker import state

from src.queues.pool.callback_mailbox import CallbackMailbox
from src.queues.pool.concurrency_limiter import ConcurrencyLimiter
from src.queues.pool.event_loop import process_loop
from src.queues.pool.task_execution import Callbacks, TaskExecution
from src.queues.pool.watchdog import LOST_AFTER_SECONDS, Watchdog

MAX_THREADS = 32
SHUTDOWN_TICK_SECONDS = 0.2


class Handle:
    """What Celery's request keeps of a run, to terminate it.

    Args:
        abandon: Cancels the run without an outcome.
    """

    def __init__(self, abandon: Callable[[], None]) -> None:
        self._abandon = abandon

    def terminate(self, _signal: object) -> None:
        """Cancel the run."""
        self._abandon()


class AsyncIOPool(BasePool):
    """Runs coroutines concurrently on one event loop, and synchronous tasks on threads.

    Celery's consumer keeps its own thread, so it fetches messages, answers remote control and keeps time whatever the
    tasks do. Reads `app.conf.loop_lost_after_seconds`: how long a task may block the loop before the worker restarts.
    """

    signal_safe = False

    def on_start(self) -> None:
        """Start the event loop and open its resources.

        Raises:
            ImproperlyConfigured: The worker has options that only processes can honour.
        """
        if self.options.get("maxtasksperchild") or self.options.get("max_memory_per_child"):
            raise ImproperlyConfigured(
                "The asyncio pool has no child processes: max-tasks-per-child and "
                "max-memory-per-child need another pool."
            )
        signals.worker_process_init.send(sender=None)
        # Objects made at start-up stay alive; freezing them saves a third of all CPU, spent on garbage collection.
        gc.collect()
        gc.freeze()
        # The default, to collect every 700 objects, costs a short run a tenth of its CPU or more.
        gc.set_threshold(20_000, *gc.get_threshold()[1:])
        thread = process_loop.thread()
        self._loop = thread.loop
        self._hub: Any = None
        # Celery's tracer runs on these threads; in another application it would not find the tasks.
        self._loop.call_soon_threadsafe(self.app.set_current)
        self._threads = ThreadPoolExecutor(min(self.limit or 1, MAX_THREADS), "sync-task", self.app.set_current)
        # All queued and running tasks with their handles; used by the hub thread only.
        self._executions: dict[TaskExecution, Handle] = {}
        self._limiter = ConcurrencyLimiter(
            self.limit, lambda execution: self._to_hub.send(self._executions.pop, execution, None)
        )
        self._to_loop = CallbackMailbox(self._loop.call_soon_threadsafe)
        self._to_hub = CallbackMailbox(self._wake_hub)
        self._has_mail = threading.Event()
        lost_after = self.app.conf.get("loop_lost_after_seconds", LOST_AFTER_SECONDS)
        self._watchdog = Watchdog(thread, self._on_loop_lost, lost_after)
        self._watchdog.start()

    def register_with_event_loop(self, hub: Any) -> None:
        """Remember the hub, whose thread receives outcomes."""
        self._hub = hub

    def on_apply(  # type: ignore[override]  # the stubs return None, which no pool does
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
        """Run a task, or queue it; never blocks."""
        name, task_id, headers, body, content_type, encoding = args
        request = accept_callback.__self__
        if content_type:  # the request has decoded the body; without a type the tracer takes it as it is
            body, content_type, encoding = request.message.payload, None, None
        execution = TaskExecution(
            partial(target, name, task_id, headers, body, content_type, encoding, **(kwargs or {})),
            f"{name}[{task_id}]",
            Callbacks(
                accept_callback,
                callback,
                error_callback,
                timeout_callback,
                partial(is_revoked, request),
                request.revoked,
            ),
            self._to_hub.send,
            (soft_timeout or self.options.get("soft_timeout"), timeout or self.options.get("timeout")),
            None if getattr(self.app.tasks[name], "is_async", False) else self._threads,
        )
        self._executions[execution] = handle = Handle(partial(self._abandon, execution))
        self._to_loop.send(self._limiter.add, execution)
        return handle

    def terminate_job(self, pid: int, signal: object = None) -> None:
        """End a run by its id, which Celery's request has for a process id, before it is recorded as revoked.

        The request terminates its `Handle` as well, but afterwards: a synchronous task could return in between.
        """
        for execution in self._executions:
            if execution.id == pid:
                self._abandon(execution)

    def grow(self, n: int = 1) -> None:
        """Raise the number of concurrent tasks.

        Raises:
            ValueError: No task could run.
        """
        if self.limit + n < 1:
            raise ValueError(f"the pool runs {self.limit} tasks at once: {self.limit + n} is too few")
        self.limit += n
        self._to_loop.send(self._limiter.resize, self.limit)

    def shrink(self, n: int = 1) -> None:
        """Lower the number of concurrent tasks, as running ones finish.

        Raises:
            ValueError: No task could run.
        """
        self.grow(-n)

    def on_stop(self) -> None:
        """Wait until all tasks have finished; in a cold shutdown, only those that are running."""
        if state.should_terminate:
            self._drop_queued()
        while not all(execution.is_abandoned for execution in self._executions):
            self._has_mail.wait(SHUTDOWN_TICK_SECONDS)
            self._has_mail.clear()
            self._to_hub.deliver()
            if self._hub is not None:  # the hub no longer runs by itself
                self._hub.fire_timers()
                send_acknowledgements(self._hub)
        self._close()

    def on_terminate(self) -> None:
        """Abandon all tasks; their messages stay unacknowledged and return to the queue."""
        self._drop_queued()
        for execution in self._executions:
            self._abandon(execution)
        self._close()

    def _drop_queued(self) -> None:
        self._to_loop.send(self._limiter.close)
        for execution in self._executions:
            execution.is_abandoned = execution.is_abandoned or execution.task is None

    def _close(self) -> None:
        self._watchdog.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _get_info(self) -> dict[str, Any]:
        info = super()._get_info()  # type: ignore[misc]  # missing from the stubs
        running, waiting = self._limiter.running, self._limiter.waiting
        return {**info, "processes": [os.getpid()], "running": running, "waiting": waiting}

    def _wake_hub(self, deliver: Callable[[], None]) -> None:
        if self._hub is None:
            deliver()
        else:
            self._hub.call_soon(self._receive)
            self._has_mail.set()

    def _receive(self) -> None:
        self._to_hub.deliver()
        # Celery leaves acknowledgements to the hub's next turn, which would wait until something else wakes the hub.
        send_acknowledgements(self._hub)

    def _abandon(self, execution: TaskExecution) -> None:
        if execution.is_abandoned:
            return
        execution.is_abandoned = True
        self._to_loop.send(execution.cancel)

    def _on_loop_lost(self, seconds: float) -> None:
        """Fail the task that blocks the loop, so that it is not retried, and restart; other tasks are redelivered."""
        blocking = asyncio.current_task(self._loop)
        for execution in self._executions.copy():
            if execution.task is not None and execution.task is blocking:
                execution.is_abandoned = True
                self._to_hub.send(execution.callbacks.timed_out, False, seconds)
        self._to_hub.send(recycle, self._hub)


def is_revoked(request: Any) -> bool:
    """Whether a request has expired or was revoked since Celery handed it to the pool."""
    return request.maybe_expire() or request.id in state.revoked


def send_acknowledgements(hub: Any) -> None:
    """Run callbacks that tasks left for the hub's next turn, which may not come soon."""
    _run_ready_callbacks(hub)


def recycle(hub: Any) -> None:
    """Shut the worker down without waiting for its tasks, then restart it in the same process.

    Unacknowledged messages return to their queue at once.
    """
    send_acknowledgements(hub)
    atexit.register(os.execv, sys.executable, sys.orig_argv)
    state.should_terminate = EX_FAILURE  # type: ignore[assignment]  # the stubs only allow None
