import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = signal.SIGTERM, signal.SIGINT


@contextmanager
def signals_held(interrupt: Callable[[], object]) -> Iterator[None]:
    """Hold back the signals that end a process until the block has been left, and have it leave soon.

    Their handlers raise, and what runs in an event loop, a driver in the middle of its protocol among it, does not
    survive that. In other threads than the main one no handler runs, so nothing is held.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    struck: list[int] = []

    def hold(number: int, _frame: FrameType | None) -> None:
        struck.append(number)
        interrupt()

    handlers = {number: signal.signal(number, hold) for number in ENDING}
    try:
        yield
    finally:
        for ending, handler in handlers.items():
            signal.signal(ending, handler)
        if struck:
            signal.raise_signal(struck[0])
