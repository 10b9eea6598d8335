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
    """Publishes messages from one thread: on one broker connection, in order, and without blocking the caller's loop.

    Args:
        timeout_seconds: How long a caller waits. A message that is still queued then is dropped; one that is being
            sent may arrive.

    Attributes:
        executor: Runs calls on the thread.
    """

    def __init__(self, timeout_seconds: float = 2) -> None:
        self.timeout_seconds = timeout_seconds
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self.executor = ThreadPoolExecutor(1, thread_name_prefix="publisher")

    async def publish(self, send: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Call a function that publishes, in the caller's context.

        Raises:
            ServiceUnavailableError: The broker did not accept the message in time.
        """
        future = self.executor.submit(contextvars.copy_context().run, send, *args, **kwargs)
        try:
            async with asyncio.timeout(self.timeout_seconds):
                return await asyncio.wrap_future(future)
        except (TimeoutError, OperationalError) as error:
            message = "The task broker is unavailable."
            raise ServiceUnavailableError(message, error="broker.unavailable", store="broker") from error


publisher_thread = PublisherThread()
