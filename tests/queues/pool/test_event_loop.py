"""Synchronous code waits for a coroutine; time limits that interrupt the wait are raised in the coroutine."""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded

from src.queues.pool.event_loop import WAKE_SECONDS, ProcessLoop
from src.queues.pool.soft_limit import SoftLimitedCoroutine
from tests.support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.unit

Strike = Callable[[BaseException], None]
name: ContextVar[str] = ContextVar("name")


@pytest.fixture
def loop() -> Iterator[ProcessLoop]:
    loop = ProcessLoop()
    yield loop
    loop.stop()


def alarm() -> None:
    """Strike in a moment; from inside a coroutine, after it has begun."""
    signal.setitimer(signal.ITIMER_REAL, 0.05)


@pytest.fixture
def strike() -> Iterator[Strike]:
    """Choose the error that an `alarm` raises in this thread, as Celery's signal handlers do."""
    before = signal.getsignal(signal.SIGALRM)

    def strike(error: BaseException) -> None:
        def handler(*_: Any) -> None:
            raise error

        signal.signal(signal.SIGALRM, handler)

    yield strike
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


class TestRunning:
    def test_the_value_is_returned(self, loop: ProcessLoop) -> None:
        assert loop.run(asyncio.sleep(0, "value")) == "value"

    def test_context_variables_are_passed_on(self, loop: ProcessLoop) -> None:
        async def read() -> str:
            return name.get()

        name.set("mine")
        assert loop.run(read()) == "mine"

    def test_all_coroutines_share_the_loop(self, loop: ProcessLoop) -> None:
        async def which() -> asyncio.AbstractEventLoop:
            return asyncio.get_running_loop()

        assert loop.run(which()) is loop.run(which())

    def test_one_asyncio_task_enters_and_exits_the_lifespan(self) -> None:
        events: list[object] = []

        @asynccontextmanager
        async def lifespan() -> AsyncIterator[None]:
            events.append(asyncio.current_task())
            yield
            events.append(asyncio.current_task())

        loop = ProcessLoop()
        loop.lifespan = lifespan
        loop.run(asyncio.sleep(0))
        loop.stop()
        assert len(events) == 2
        assert events[0] is events[1]


class TestInterruption:
    def test_a_soft_limit_is_raised_in_the_coroutine(self, loop: ProcessLoop, strike: Strike) -> None:
        async def tidy() -> str:
            try:
                alarm()
                await asyncio.sleep(10)
            except SoftTimeLimitExceeded:
                await asyncio.sleep(0)
            return "tidied"

        strike(SoftTimeLimitExceeded())
        assert loop.run(tidy()) == "tidied"

    def test_an_unhandled_soft_limit_is_the_outcome(self, loop: ProcessLoop, strike: Strike) -> None:
        strike(SoftTimeLimitExceeded())
        alarm()
        with pytest.raises(SoftTimeLimitExceeded):
            loop.run(asyncio.sleep(10))

    def test_a_signal_that_another_thread_gets_interrupts_the_wait(self, loop: ProcessLoop, strike: Strike) -> None:
        ended = []

        async def work() -> None:
            signal.pthread_kill(threading.get_ident(), signal.SIGALRM)
            await asyncio.sleep(5)
            ended.append(True)

        strike(SystemExit())
        with pytest.raises(SystemExit):
            loop.run(work())
        assert ended == []

    def test_a_timeout_of_the_coroutine_is_the_outcome(self, loop: ProcessLoop) -> None:
        async def time_out() -> None:
            await asyncio.sleep(WAKE_SECONDS * 2)
            raise TimeoutError("its own")

        with pytest.raises(TimeoutError, match="its own"):
            loop.run(time_out())

    def test_child_tasks_are_cancelled(self, loop: ProcessLoop, strike: Strike) -> None:
        async def group() -> None:
            async with asyncio.TaskGroup() as tasks:
                alarm()
                tasks.create_task(asyncio.sleep(10))

        strike(SoftTimeLimitExceeded())
        with pytest.raises(SoftTimeLimitExceeded):
            loop.run(group())

    def test_other_exceptions_cancel_the_coroutine(self, loop: ProcessLoop, strike: Strike) -> None:
        cancelled = asyncio.Event()

        async def wait() -> None:
            try:
                alarm()
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                cancelled.set()
                raise

        strike(KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            loop.run(wait())
        loop.run(asyncio.wait_for(cancelled.wait(), PATIENCE_SECONDS))

    async def test_a_limit_before_the_first_step_runs_nothing(self) -> None:
        done: list[str] = []

        async def work() -> None:
            done.append("work")

        call = SoftLimitedCoroutine(work())
        call.interrupt()
        with pytest.raises(SoftTimeLimitExceeded):
            await asyncio.ensure_future(call)
        assert done == []
