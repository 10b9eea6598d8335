import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, TypeVar

from celery.exceptions import SoftTimeLimitExceeded

T = TypeVar("T")


class SoftTimeLimitCancelled(SoftTimeLimitExceeded, asyncio.CancelledError):
    """What a coroutine sees when its soft time limit strikes.

    Tasks catch it as `SoftTimeLimitExceeded`; libraries clean up after it as after any cancellation.
    """


class SoftLimitedCoroutine(Coroutine[Any, Any, T]):
    """A coroutine whose asyncio task can be told that its soft time limit was exceeded.

    asyncio can only throw `CancelledError`; it is exchanged on its way in, and on its way out.

    Attributes:
        coroutine: What is wrapped.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self.coroutine = coroutine
        self._task: asyncio.Task[Any] | None = None
        self._interrupted = False
        self._pending: SoftTimeLimitCancelled | None = None

    def interrupt(self) -> None:
        """Raise the soft time limit where the coroutine waits; to be called in its loop."""
        self._interrupted = True
        self._pending = SoftTimeLimitCancelled()
        if self._task is not None:
            self._task.cancel()

    def send(self, value: Any) -> Any:
        """Go on until the next wait."""
        if self._task is None:
            self._task = asyncio.current_task()
            if self._pending is not None:
                return self.throw(asyncio.CancelledError())
        try:
            return self.coroutine.send(value)
        except asyncio.CancelledError as error:
            raise self._outcome(error) from error

    def throw(self, *error: Any) -> Any:
        """Go on with an exception raised at the present wait."""
        if self._pending is not None and isinstance(error[0], asyncio.CancelledError):
            error, self._pending = (self._pending,), None
        try:
            return self.coroutine.throw(*error)
        except asyncio.CancelledError as cancelled:
            raise self._outcome(cancelled) from cancelled

    def close(self) -> None:
        """Give up the coroutine."""
        self.coroutine.close()

    def __next__(self) -> Any:
        return self.send(None)

    def __await__(self) -> Generator[Any, Any, T]:
        # Whether an asyncio task consists of it or awaits it: `send` and `throw` are called in any case.
        return self  # type: ignore[return-value]  # an iterator with those two is all that is asked for

    def _outcome(self, error: asyncio.CancelledError) -> BaseException:
        """A task that ends by its limit has failed, which asyncio must not take for a cancellation."""
        return SoftTimeLimitExceeded(*error.args) if self._interrupted else error
