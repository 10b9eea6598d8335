"""What is known of the broker's queues, without importing Celery."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol


class QueueCounts(NamedTuple):
    """How many messages wait.

    Attributes:
        waiting: By queue.
        delayed: Messages with a countdown or an eta; 0 if the broker cannot tell.
        dead_letters: Messages that no worker could run, or whose run gave up.
        malformed: Messages that could not be read; 0 if the broker cannot tell.
    """

    waiting: Mapping[str, int]
    delayed: int
    dead_letters: int
    malformed: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that no worker could run, or whose run gave up; what it does not say, or not legibly, is None.

    Attributes:
        id: Identifies the message as long as it is a dead letter.
        queue: The queue that it came from.
        queued_at: When its run was first sent.
    """

    id: str
    task: str | None
    task_id: str | None
    queue: str | None
    args: list[Any] | None
    kwargs: dict[str, Any] | None
    queued_at: datetime | None


@dataclass(frozen=True, slots=True)
class DeadLetterFilter:
    """Which dead letters: those that have all that is not None."""

    ids: Collection[str] | None = None
    task: str | None = None
    queue: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether it matches every dead letter."""
        return self.ids is None and self.task is None and self.queue is None

    def matches(self, letter: DeadLetter) -> bool:
        """Whether it matches this one."""
        is_chosen = self.ids is None or letter.id in self.ids
        return is_chosen and self.task in (None, letter.task) and self.queue in (None, letter.queue)


class TaskQueues(Protocol):
    """The queues of the broker.

    Each method raises `ServiceUnavailableError` if the broker does not respond in time; those for dead letters and
    malformed messages raise `ConflictError` if the broker is not Redis. A filter looks at the 10,000 newest.
    """

    async def count(self, queues: Collection[str]) -> QueueCounts:
        """Count the messages of these queues, and of those that tasks are sent to by default."""

    async def dead_letters(
        self, choice: DeadLetterFilter, *, offset: int = 0, limit: int
    ) -> tuple[Sequence[DeadLetter], int]:
        """The dead letters, newest first, and how many there are."""

    async def resend(self, ids: Collection[str]) -> int:
        """Return dead letters to the queues that they came from; returns how many. Others are left where they are."""

    async def drop(self, ids: Collection[str]) -> int:
        """Delete dead letters; returns how many."""

    async def malformed(self, limit: int) -> tuple[Sequence[str], int]:
        """The newest messages that could not be read, and how many there are."""
