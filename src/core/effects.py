"""What leaves the process after a commit: the two sinks that a composition root plugs in."""

from collections.abc import Mapping
from typing import Any, Protocol


class TaskSender(Protocol):
    """Publishes a task by name."""

    async def send(self, name: str, kwargs: Mapping[str, Any], *, task_id: str | None = None) -> None:
        """Hand the task to the broker without blocking the loop.

        Raises:
            ServiceUnavailableError: The broker did not take it in time.
        """


class EventEmitter(Protocol):
    """Sends a Socket.IO event to browsers."""

    async def emit(self, event: str, data: object, *, room: str | None = None, namespace: str = "/") -> None:
        """Emit to everyone in `room`, or to everyone in the namespace."""
