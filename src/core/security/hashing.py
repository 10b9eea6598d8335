import asyncio
import os
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from prometheus_client import Counter, Gauge, Histogram

from src.core.exceptions import ServiceUnavailableError

PENDING = Gauge("password_hashing_pending", "Logins that wait for a thread, or have one.")
REJECTED = Counter("password_hashing_rejected", "Logins that were refused because too many waited.")
SECONDS = Histogram(
    "password_hashing_seconds", "Time of a password hash or RSA, waiting included.", buckets=(0.05, 0.25, 1, 2.5, 5, 10)
)

P = ParamSpec("P")
R = TypeVar("R")

_NICENESS = 5
"""At 10, a login took 20 times its CPU time on a machine whose cores were busy, and ran into its time limit."""


class HashPool:
    """A thread pool with a bounded queue for password hashes and RSA, which would block the event loop.

    argon2, bcrypt and RSA release the GIL, and the threads have a lower priority than the event loop: without it, four
    concurrent logins halved the rate of a public route on two cores.
    """

    def __init__(self, threads: int, queue: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="hash", initializer=_lower_priority)
        self._limit = threads + queue
        self._pending = 0

    async def run(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run a function in a thread of the pool, and return its result.

        Raises:
            ServiceUnavailableError: The queue is full.
        """
        if self._pending >= self._limit:
            REJECTED.inc()
            raise ServiceUnavailableError("Too many logins at once.", error="auth.busy")
        self._pending += 1
        PENDING.inc()
        started = time.perf_counter()
        future = self._executor.submit(function, *args, **kwargs)
        loop = asyncio.get_running_loop()
        # Released when the work ends, since it goes on when its caller is cancelled.
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._release, started))
        return await asyncio.wrap_future(future)

    def _release(self, started: float) -> None:
        self._pending -= 1
        PENDING.dec()
        SECONDS.observe(time.perf_counter() - started)

    def close(self) -> None:
        """Wait for running work, drop what is queued, and end the threads."""
        self._executor.shutdown(wait=True, cancel_futures=True)


def _lower_priority() -> None:
    """Lower the priority of this thread."""
    # On Linux each thread has a niceness; elsewhere it belongs to the whole process.
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
