"""What is known of the broker's queues, without importing Celery."""

from collections.abc import Collection, Mapping
from typing import NamedTuple, Protocol


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


class TaskQueues(Protocol):
    """The queues of the broker."""

    async def count(self, queues: Collection[str]) -> QueueCounts:
        """Count the messages of these queues, and of those that tasks are sent to by default.

        Raises:
            ServiceUnavailableError: The broker does not respond in time.
        """
