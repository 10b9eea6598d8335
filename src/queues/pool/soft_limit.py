import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

from celery.exceptions import SoftTimeLimitExceeded

T = TypeVar("T")


class SoftTimeLimitCancelled(SoftTimeLimitExceeded, asyncio.CancelledError):
    """Raised in a coroutine whose soft time limit was exceeded.

    Tasks catch it as `SoftTimeLimitExceeded`; libraries clean up after it as after any cancellation.
    """


class SoftLimitedCoroutine(Coroutine[Any, Any, T]):
    """A coroutine in which `interrupt` raises the soft time limit.

    asyncio can only throw `CancelledError` into a task, so this wrapper exchanges the exception: on the way in for
    `SoftTimeLimitCancelled`, and on the way out for `SoftTimeLimitExceeded`.

    Attributes:
        coroutine: The wrapped coroutine.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self.coroutine = coroutine
        self._task: asyncio.Task[Any] | None = None
        self._interrupted = False
        self._pending: SoftTimeLimitCancelled | None = None

    def interrupt(self) -> None:
        """Raise `SoftTimeLimitCancelled` where the coroutine waits; call it from the coroutine's loop."""
        self._interrupted = True
        self._pending = SoftTimeLimitCancelled()
        if self._task is not None:
            self._task.cancel()

    def send(self, value: Any) -> Any:
        """Resume until the next wait."""
        if self._task is None:
            self._task = asyncio.current_task()
            if self._pending is not None:
                return self.throw(asyncio.CancelledError())
        try:
            return self.coroutine.send(value)
        except asyncio.CancelledError as error:
            raise self._outcome(error) from error

    def throw(self, *error: Any) -> Any:
        """Resume by raising an exception at the current wait."""
        if self._pending is not None and isinstance(error[0], asyncio.CancelledError):
            error, self._pending = (self._pending,), None
        try:
            return self.coroutine.throw(*error)
        except asyncio.CancelledError as cancelled:
            raise self._outcome(cancelled) from cancelled

    def close(self) -> None:
        """Close the coroutine."""
        self.coroutine.close()

    def __next__(self) -> Any:
        return self.send(None)

    def __await__(self) -> Generator[Any, Any, T]:
        # An asyncio task calls `send` and `throw`, whether it runs this object or a coroutine that awaits it.
        return self  # type: ignore[return-value]  # those two methods are all that awaiting needs

    def _outcome(self, error: asyncio.CancelledError) -> BaseException:
        """A run that exceeded its limit has failed; asyncio would otherwise treat it as cancelled."""
        return SoftTimeLimitExceeded(*error.args) if self._interrupted else error
