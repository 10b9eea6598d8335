"""What leaves the process after a commit: the two sinks that a composition root plugs in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from src.core.logging import request_id
from src.core.security.caller import caller_id
from src.core.tasks.info import TaskInfo
from src.utils.date import utc_now
from src.utils.uuid7 import uuid7


def user_room(user_id: UUID) -> str:
    """The room of all of a user's connections."""
    return f"user:{user_id}"


def session_room(session_id: str) -> str:
    """The room of a login session's connections."""
    return f"session:{session_id}"


@dataclass(frozen=True, slots=True)
class TaskCall:
    """A task to be sent.

    Attributes:
        id: Of the run; whoever receives the same call twice can tell by it.
        key: Calls of one key arrive in the order in which they were recorded.
        requested_by: The user in whose name it is sent, if there is one.
        request_id: Of the request that it comes from, for the logs.
        retry_of: The run that this one repeats.
        queue: Another than the task's own; `priority` likewise.
        schedule_id: The schedule that it is sent for.
    """

    name: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    key: str | None = None
    id: UUID = field(default_factory=uuid7)
    queued_at: datetime = field(default_factory=utc_now)
    requested_by: UUID | None = field(default_factory=caller_id.get)
    request_id: str = field(default_factory=request_id.get)
    retry_of: UUID | None = None
    queue: str | None = None
    priority: int | None = None
    headers: Mapping[str, Any] = field(default_factory=dict)
    schedule_id: UUID | None = None


class TaskPublisher(Protocol):
    """The way to the broker."""

    async def catalog(self) -> Mapping[str, TaskInfo]:
        """The registered tasks, by name."""

    async def send(self, call: TaskCall) -> None:
        """Hand a call to the broker without blocking the loop.

        Raises:
            ServiceUnavailableError: The broker did not take it in time.
        """

    async def revoke(self, task_id: UUID) -> None:
        """Tell all workers not to start a run, and to end it where it has begun.

        Raises:
            ServiceUnavailableError: The broker did not take it in time.
        """


class TaskOutbox(Protocol):
    """Sends tasks so that none is lost, and none leaves for a transaction that was rolled back."""

    @property
    def publisher(self) -> TaskPublisher:
        """What it sends through."""

    async def store(self, session: AsyncSession, calls: Sequence[TaskCall]) -> None:
        """Keep the calls as rows of the transaction that they belong to."""

    async def deliver(self, session: AsyncSession, calls: Sequence[TaskCall]) -> None:
        """Send the calls of a transaction that has committed; what fails is left to the relay."""

    async def relay(self, session: AsyncSession) -> int:
        """Send what was left behind, oldest first; returns how many. What fails stays for the next time."""


class EventEmitter(Protocol):
    """Sends a Socket.IO event to browsers."""

    def check(self, event: str, data: object) -> None:
        """Do nothing, or in debug environments raise `UndeclaredEventError` for what clients were not promised."""

    async def emit(self, event: str, data: object, *, room: str | None = None, namespace: str = "/") -> None:
        """Emit to everyone in `room`, or to everyone in the namespace."""

    async def disconnect(self, room: str | Sequence[str], *, spare: str | None = None) -> None:
        """End the connections of everyone in `room` (or rooms), but for those who are in `spare` as well."""

    @property
    def is_listening(self) -> bool:
        """Whether events of other processes arrive in this one, if it has anyone to hand them to."""
