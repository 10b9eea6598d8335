"""One run of a task in the asyncio pool."""

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Executor
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog
from billiard.einfo import ExceptionInfo
from greenlet import GreenletExit

from src.queues.pool.greenlet_bridge import GreenletBridge
from src.queues.pool.identity import current_run
from src.queues.pool.soft_limit import SoftLimitedCoroutine

log = structlog.get_logger(__name__)

# How long a cancelled coroutine may go on before the log reports it.
GRACE_SECONDS = 5


def _ignore(*_: object) -> None:
    pass


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Methods of Celery's request, called in the hub thread; `is_revoked` in the event loop's."""

    accepted: Callable[..., object] = _ignore
    done: Callable[..., object] = _ignore
    failed: Callable[..., object] = _ignore
    timed_out: Callable[..., object] = _ignore
    is_revoked: Callable[[], bool] = _never
    revoked: Callable[[], object] = _ignore


class TaskExecution:
    """Runs Celery's tracer of one task under its time limits. Not thread-safe: use it from the event loop's thread.

    Args:
        call: The tracer; it runs the task and handles its outcome.
        label: `name[id]` of the task, for the log.
        callbacks: Called with the outcome.
        send: Makes a call in the hub thread.
        limits: The soft and the hard time limit, in seconds.
        executor: Runs a synchronous task; None for a coroutine.

    Attributes:
        id: Stands for the process id, which all runs share.
        is_abandoned: Whether the outcome was decided elsewhere (revoked, timed out), so that none is reported.
        task: The asyncio task; None until the run has started.
    """

    def __init__(
        self,
        call: Callable[[], object],
        label: str,
        callbacks: Callbacks,
        send: Callable[..., None],
        limits: tuple[float | None, float | None],
        executor: Executor | None,
    ) -> None:
        self.id = id(self)
        self.label = label
        self.callbacks = callbacks
        self.is_abandoned = False
        self._call = call
        self._send = send
        self._limits = limits
        self._executor = executor
        self.task: asyncio.Task[Any] | None = None
        self._coroutine: SoftLimitedCoroutine[Any] | None = None

    def start(self, loop: asyncio.AbstractEventLoop, on_finished: Callable[["TaskExecution"], object]) -> None:
        """Start running; `on_finished` is called at the end, whatever the outcome."""
        self.task = loop.create_task(self._run(), name=self.label)
        self.task.add_done_callback(lambda _task: on_finished(self))

    def cancel(self) -> None:
        """Cancel the run if it is in progress."""
        if self.task is not None and not self.task.done():
            self.task.cancel()
            self.task.get_loop().call_later(GRACE_SECONDS, self._report_survivor)

    async def _run(self) -> None:
        if self.callbacks.is_revoked():  # or expired, while it was queued
            self._send(self.callbacks.revoked)
            return
        self._send(self.callbacks.accepted, self.id, time.monotonic())
        if self.is_abandoned:  # terminated while it was queued
            return
        current_run.set((self, None))
        loop = asyncio.get_running_loop()
        handlers = zip(self._limits, (self._exceed_soft_limit, self._exceed_hard_limit), strict=True)
        timers = [loop.call_later(seconds, handler) for seconds, handler in handlers if seconds]
        try:
            if self._executor is None:
                outcome = await self._run_in_bridge()
            else:
                outcome = await loop.run_in_executor(self._executor, call_in_thread, self, self._call)
            report = partial(self.callbacks.done, outcome)
        except BaseException:  # whatever the task raises ends the run, not the loop
            report = partial(self.callbacks.failed, ExceptionInfo())
        finally:
            for timer in timers:
                timer.cancel()
            # The execution refers to the context of its task; a reference back would leave both to the collector.
            current_run.set(None)
        if not self.is_abandoned:
            self._send(report)

    async def _run_in_bridge(self) -> Any:
        """Run the tracer in a greenlet, and await for it whatever it waits for."""
        bridge = GreenletBridge(self._call)
        switched = bridge.switch()
        while not bridge.dead:
            self._coroutine = switched if isinstance(switched, SoftLimitedCoroutine) else None
            try:
                value = await switched
            except BaseException as error:  # the tracer handles it
                switched = bridge.throw(*self._translated(error))
            else:
                switched = bridge.switch(value)
        return switched

    def _translated(self, error: BaseException) -> tuple[Any, ...]:
        """The exception to raise in the tracer: `GreenletExit` ends an abandoned run without an outcome."""
        if self.is_abandoned:
            return (GreenletExit,)
        if isinstance(error, asyncio.CancelledError):  # outside the loop it is an error like any other
            return CancelledError, CancelledError(*error.args), error.__traceback__
        return type(error), error, error.__traceback__

    def _exceed_soft_limit(self) -> None:
        if self._coroutine is not None:
            self._coroutine.interrupt()
            self._send(self.callbacks.timed_out, True, self._limits[0])

    def _exceed_hard_limit(self) -> None:
        self.is_abandoned = True
        self._send(self.callbacks.timed_out, False, self._limits[1])
        self.cancel()

    def _report_survivor(self) -> None:
        if self.task is not None and not self.task.done():
            log.error("task_ignores_cancellation", task=self.label, waits_at=await_stack(self._coroutine))


_thread = threading.local()


def call_in_thread(execution: TaskExecution, call: Callable[[], Any]) -> Any:
    """Run a synchronous task's tracer on the current thread, for `raise_if_abandoned`."""
    _thread.execution = execution
    try:
        return call()
    finally:
        del _thread.execution


def raise_if_abandoned() -> None:
    """End a run that was terminated or exceeded its hard limit, so that it neither stores a result nor sends messages.

    Raises:
        GreenletExit: The run on this thread is abandoned. No `except Exception` catches it.
    """
    execution = getattr(_thread, "execution", None)
    if execution is not None and execution.is_abandoned:
        raise GreenletExit


def await_stack(coroutine: Coroutine[Any, Any, Any] | None) -> list[str]:
    """Where a suspended coroutine waits, outermost call first, each as `file:line function`."""
    lines = []
    inner: Any = coroutine.coroutine if isinstance(coroutine, SoftLimitedCoroutine) else coroutine
    while (frame := getattr(inner, "cr_frame", None)) is not None:
        lines.append(f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_name}")
        inner = inner.cr_await
    return lines
