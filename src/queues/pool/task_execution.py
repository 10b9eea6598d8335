"""One task in the asyncio pool."""

import asyncio
import os
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

# A coroutine that still runs this long after it was cancelled is named in the log.
GRACE_SECONDS = 5


def _nothing(*_: object) -> None:
    pass


@dataclass(frozen=True, slots=True)
class Callbacks:
    """What Celery's request wants to hear about, in the consumer's thread."""

    accepted: Callable[..., object] = _nothing
    done: Callable[..., object] = _nothing
    failed: Callable[..., object] = _nothing
    timed_out: Callable[..., object] = _nothing


class TaskExecution:
    """Celery's tracer of one task, and what may strike it; it belongs to the loop's thread.

    Args:
        call: The tracer.
        label: Name and id of the task, for the log.
        callbacks: Whom to tell.
        send: Has the consumer's thread make a call.
        limits: The soft and the hard time limit, in seconds.
        executor: Where a synchronous task runs; None for a coroutine.

    Attributes:
        is_abandoned: Somebody else has decided what becomes of the task: it is to have no outcome.
        task: The asyncio task, once it has a place.
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
        self.label = label
        self.callbacks = callbacks
        self.is_abandoned = False
        self._call = call
        self._send = send
        self._limits = limits
        self._executor = executor
        self.task: asyncio.Task[Any] | None = None
        self._coroutine: SoftLimitedCoroutine[Any] | None = None

    def start(self, loop: asyncio.AbstractEventLoop, finished: Callable[["TaskExecution"], object]) -> None:
        """Run it; `finished` is called when its place is free."""
        self.task = loop.create_task(self._run(), name=self.label)
        self.task.add_done_callback(lambda _task: finished(self))

    def cancel(self) -> None:
        """Stop it, if it runs."""
        if self.task is not None and not self.task.done():
            self.task.cancel()
            self.task.get_loop().call_later(GRACE_SECONDS, self._name_survivor)

    async def _run(self) -> None:
        self._send(self.callbacks.accepted, os.getpid(), time.monotonic())
        if self.is_abandoned:  # revoked while it waited for its place
            return
        current_run.set((self, None))
        loop = asyncio.get_running_loop()
        strikes = zip(self._limits, (self._exceed_soft, self._exceed_hard), strict=True)
        timers = [loop.call_later(seconds, strike) for seconds, strike in strikes if seconds]
        try:
            trace = self._trace() if self._executor is None else loop.run_in_executor(self._executor, self._call)
            tell = partial(self.callbacks.done, await trace)
        except BaseException:  # whatever a task raises is its own end, and not the loop's
            tell = partial(self.callbacks.failed, ExceptionInfo())
        finally:
            for timer in timers:
                timer.cancel()
        if not self.is_abandoned:
            self._send(tell)

    async def _trace(self) -> Any:
        tracer = GreenletBridge(self._call)
        awaited = tracer.switch()
        while not tracer.dead:
            self._coroutine = awaited if isinstance(awaited, SoftLimitedCoroutine) else None
            try:
                value = await awaited
            except BaseException as error:  # the tracer is who handles it
                awaited = tracer.throw(*self._fate(error))
            else:
                awaited = tracer.switch(value)
        return awaited

    def _fate(self, error: BaseException) -> tuple[Any, ...]:
        """What the tracer sees of an error: an end without outcome if the job is given up, no end of the loop's own."""
        if self.is_abandoned:
            return (GreenletExit,)
        if isinstance(error, asyncio.CancelledError):
            return CancelledError, CancelledError(*error.args), error.__traceback__
        return type(error), error, error.__traceback__

    def _exceed_soft(self) -> None:
        if self._coroutine is not None:
            self._coroutine.interrupt()
            self._send(self.callbacks.timed_out, True, self._limits[0])

    def _exceed_hard(self) -> None:
        self.is_abandoned = True
        self._send(self.callbacks.timed_out, False, self._limits[1])
        self.cancel()

    def _name_survivor(self) -> None:
        if self.task is not None and not self.task.done():
            log.error("task_ignores_cancellation", task=self.label, waits_at=where(self._coroutine))


def where(coroutine: Coroutine[Any, Any, Any] | None) -> list[str]:
    """Where a suspended coroutine stands, outermost call first: `file:line function`."""
    places = []
    inner: Any = coroutine.coroutine if isinstance(coroutine, SoftLimitedCoroutine) else coroutine
    while (frame := getattr(inner, "cr_frame", None)) is not None:
        places.append(f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_name}")
        inner = inner.cr_await
    return places
