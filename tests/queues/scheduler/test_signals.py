"""Signals that end the process are deferred until the event loop has been left."""

import asyncio
import os
import signal
from collections.abc import Iterator
from types import FrameType

import pytest

from src.queues.scheduler.signals import signals_deferred


@pytest.fixture
def received() -> Iterator[list[int]]:
    received: list[int] = []

    def handle(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        raise SystemExit

    before = signal.signal(signal.SIGTERM, handle)
    yield received
    signal.signal(signal.SIGTERM, before)


def test_a_signal_is_raised_when_the_block_has_ended(received: list[int]) -> None:
    seen: list[str] = []

    def interrupt() -> None:
        seen.append(f"interrupted, {len(received)} handled")

    def run() -> None:
        with signals_deferred(interrupt):
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGTERM)
            seen.append("left")

    with pytest.raises(SystemExit):
        run()
    assert seen == ["interrupted, 0 handled"] * 2 + ["left"]
    assert received == [signal.SIGTERM]


def test_without_a_signal_nothing_is_raised(received: list[int]) -> None:
    with signals_deferred(lambda: None):
        pass
    assert received == []
    with pytest.raises(SystemExit):
        signal.raise_signal(signal.SIGTERM)


async def test_other_threads_defer_nothing(received: list[int]) -> None:
    def run() -> str:
        with signals_deferred(lambda: None):
            return "done"

    assert await asyncio.to_thread(run) == "done"
    assert received == []
