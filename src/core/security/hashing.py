import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from src.core.exceptions import ServiceUnavailableError

P = ParamSpec("P")
R = TypeVar("R")

_NICENESS = 10


class HashPool:
    """Threads for password hashes and RSA, so that logins neither block the loop nor pile up without bound.

    argon2, bcrypt and RSA release the GIL: the loop goes on meanwhile, and on a busy machine it goes first. Four logins
    in flight left a public route on two cores half of its rate without that.
    """

    def __init__(self, threads: int, queue: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="hash", initializer=_step_back)
        self._limit = threads + queue
        self._pending = 0

    async def run(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run `function` in a thread of the pool.

        Raises:
            ServiceUnavailableError: The queue is full.
        """
        if self._pending >= self._limit:
            raise ServiceUnavailableError("Too many logins at once.", error="auth.busy")
        self._pending += 1
        future = self._executor.submit(function, *args, **kwargs)
        loop = asyncio.get_running_loop()
        # Counted down when the work ends, not when its caller gives up: cancelled callers leave work behind.
        future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._release))
        return await asyncio.wrap_future(future)

    def _release(self) -> None:
        self._pending -= 1

    def close(self) -> None:
        """Finish what runs and let the threads go."""
        self._executor.shutdown(wait=True, cancel_futures=True)


def _step_back() -> None:
    """Give this thread the processor time that nobody else wants."""
    # On Linux threads have a niceness each; elsewhere it is the process's, which is not to be touched.
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
