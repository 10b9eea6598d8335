import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

TERMINATING = signal.SIGTERM, signal.SIGINT


@contextmanager
def signals_deferred(interrupt: Callable[[], object]) -> Iterator[None]:
    """Defer SIGTERM and SIGINT until the block has ended; call `interrupt` at once, so that it ends soon.

    Celery's handlers raise an exception, which would leave a database driver in the middle of its protocol. Outside the
    main thread no handlers run, so nothing is deferred.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []

    def defer(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        interrupt()

    handlers = {number: signal.signal(number, defer) for number in TERMINATING}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if received:
            signal.raise_signal(received[0])
