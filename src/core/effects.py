"""Interfaces for side effects that run after commit: sending tasks and emitting events.

The composition roots (`src/main.py`, `src/queues/app.py`) provide the implementations.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from src.core.logging import request_id
from src.core.realtime.connected_client import ClientList
from src.core.security.actor import current_actor_id
from src.core.tasks.info import TaskInfo
from src.core.tasks.queues import TaskQueues
from src.core.telemetry.spans import current_traceparent
from src.utils.date import utc_now
from src.utils.uuid7 import uuid7


@dataclass(frozen=True, slots=True)
class TaskCall:
    """A task to send.

    Attributes:
        id: The id of the run; a call that is delivered twice has the same id.
        key: Calls with the same key are sent in the order in which they were recorded.
        requested_by: The user on whose behalf the task runs, if any.
        request_id: The request that sends the task, for the logs.
        retry_of: The run that this one repeats.
        queue: Overrides the task's own queue; `priority` likewise.
        eta: When to run it; at once if None.
        expires: After this time it is not started.
        schedule_id: The schedule that the task runs for.
        traceparent: The trace that the run belongs to; empty if there is none.
    """

    name: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    key: str | None = None
    id: UUID = field(default_factory=uuid7)
    queued_at: datetime = field(default_factory=utc_now)
    requested_by: UUID | None = field(default_factory=current_actor_id.get)
    request_id: str = field(default_factory=request_id.get)
    retry_of: UUID | None = None
    queue: str | None = None
    priority: int | None = None
    eta: datetime | None = None
    expires: datetime | None = None
    headers: Mapping[str, Any] = field(default_factory=dict)
    schedule_id: UUID | None = None
    traceparent: str = field(default_factory=current_traceparent)


class TaskPublisher(Protocol):
    """Sends tasks to the broker."""

    @property
    def queues(self) -> TaskQueues:
        """The queues that they wait in."""

    async def catalog(self) -> Mapping[str, TaskInfo]:
        """The registered tasks, by name."""

    async def send(self, call: TaskCall) -> None:
        """Publish a call without blocking the event loop.

        Raises:
            ServiceUnavailableError: The broker did not confirm it in time.
        """

    async def revoke(self, task_ids: Sequence[UUID]) -> None:
        """Tell all workers not to start these runs, and to terminate those that are running.

        Raises:
            ServiceUnavailableError: The broker did not confirm it in time.
        """


class TaskOutbox(Protocol):
    """Sends the tasks of committed transactions at least once, and none of a transaction that was rolled back."""

    @property
    def publisher(self) -> TaskPublisher:
        """The publisher that it uses."""

    async def store(self, session: AsyncSession, calls: Sequence[TaskCall]) -> None:
        """Store the calls as rows of their transaction."""

    async def deliver(self, session: AsyncSession, calls: Sequence[TaskCall]) -> None:
        """Send the calls of a committed transaction; `relay` retries those that fail."""

    async def relay(self, session: AsyncSession) -> int:
        """Send the stored calls that are still unsent, oldest first, and return how many were sent."""


class EventEmitter(Protocol):
    """Emits Socket.IO events to clients."""

    def check(self, event: str, data: object) -> None:
        """Compare a payload with the declaration of its event.

        Raises:
            UndeclaredEventError: It does not match; in debug environments also if the event is undeclared.
        """

    async def emit(self, event: str, data: object, *, room: str | None = None, namespace: str = "/") -> None:
        """Emit to the clients in `room`, or to all clients in the namespace."""

    async def disconnect(self, room: str | Sequence[str], *, except_room: str | None = None) -> None:
        """Disconnect the clients in a room, or in several, except those that are also in the room `except_room`."""

    async def list_clients(self, room: str | None, limit: int) -> ClientList:
        """Find the clients in `room`, or all, in all processes: at most `limit` of each.

        Raises:
            RedisError: Redis failed or timed out.
        """

    @property
    def process(self) -> str:
        """The name by which the other processes know this one, unique among all hosts."""

    @property
    def is_listening(self) -> bool:
        """Whether this process receives the events of other processes; True if it has no clients."""
