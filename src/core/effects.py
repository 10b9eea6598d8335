"""What leaves the process after a commit: the two sinks that a composition root plugs in."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

from src.core.task_info import TaskInfo


def user_room(user_id: UUID) -> str:
    """The room of all of a user's connections."""
    return f"user:{user_id}"


def session_room(session_id: str) -> str:
    """The room of a login session's connections."""
    return f"session:{session_id}"


class TaskSender(Protocol):
    """Publishes a task by name."""

    def catalog(self) -> Mapping[str, TaskInfo]:
        """The registered tasks, by name."""

    async def send(self, name: str, kwargs: Mapping[str, Any], *, task_id: str | None = None) -> None:
        """Hand the task to the broker without blocking the loop.

        Raises:
            ServiceUnavailableError: The broker did not take it in time.
        """


class EventEmitter(Protocol):
    """Sends a Socket.IO event to browsers."""

    async def emit(self, event: str, data: object, *, room: str | None = None, namespace: str = "/") -> None:
        """Emit to everyone in `room`, or to everyone in the namespace."""

    async def disconnect(self, room: str | Sequence[str], *, spare: str | None = None) -> None:
        """End the connections of everyone in `room` (or rooms), but for those who are in `spare` as well."""

    @property
    def is_listening(self) -> bool:
        """Whether events of other processes arrive in this one, if it has anyone to hand them to."""
