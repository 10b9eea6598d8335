import asyncio
import contextvars
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from kombu.exceptions import OperationalError

from src.core.exceptions import ServiceUnavailableError

T = TypeVar("T")


class PublisherThread:
    """Publishes messages on one thread, hence on one broker connection and in order; callers only await.

    Args:
        timeout_seconds: How long a caller waits for the broker. A message still in line then is dropped; the one being
            sent may yet arrive.

    Attributes:
        executor: The thread.
    """

    def __init__(self, timeout_seconds: float = 2) -> None:
        self.timeout_seconds = timeout_seconds
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self.executor = ThreadPoolExecutor(1, thread_name_prefix="publisher")

    async def publish(self, send: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Run a function that publishes, in the caller's context.

        Raises:
            ServiceUnavailableError: The broker did not take the message in time.
        """
        future = self.executor.submit(contextvars.copy_context().run, send, *args, **kwargs)
        try:
            async with asyncio.timeout(self.timeout_seconds):
                return await asyncio.wrap_future(future)
        except (TimeoutError, OperationalError) as error:
            raise ServiceUnavailableError("The task broker is unavailable.", error="broker.unavailable") from error


publisher = PublisherThread()
