"""Messages with an eta wait in a sorted set beside their queue, not unacknowledged in a worker.

There the visibility timeout would return them to their queue again and again, and they would fill the prefetch window.
Once a second, each worker moves what is due within a second to the queues: with the bulk transport before it fetches,
with kombu's by a step of the consumer. The rest of the wait is Celery's.
"""

import time
from datetime import UTC, datetime
from typing import Any

from celery import bootsteps

from src.queues.broker.malformed import MALFORMED_KEY
from src.queues.broker.scripts import MOVE_DUE

DELAYED_KEY = "_kombu.delayed"
AHEAD_SECONDS = 1.0


def due_at(message: Any) -> float | None:
    """The Unix time until which a message has to wait; None if it is due within a second."""
    eta: Any = (message.get("headers") or {}).get("eta")
    try:
        time_ = datetime.fromisoformat(eta)
    except (TypeError, ValueError):  # none, or one that the worker will refuse
        return None
    seconds = (time_ if time_.tzinfo else time_.replace(tzinfo=UTC)).timestamp()
    return seconds if seconds > time.time() + AHEAD_SECONDS else None


def move_due_messages(client: Any) -> None:
    """Move the messages that are due within a second to their queues."""
    client.eval(MOVE_DUE, 2, DELAYED_KEY, MALFORMED_KEY, time.time() + AHEAD_SECONDS)


class MoveDueMessages(bootsteps.StartStopStep):
    """A step of Celery's consumer that moves due messages if the transport is kombu's."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, parent: Any) -> None:
        """Start the timer."""
        is_redis = parent.connection.transport.driver_type == "redis"
        if is_redis and not getattr(parent.connection.default_channel, "moves_due_messages", False):
            self._timer = parent.timer.call_repeatedly(AHEAD_SECONDS, self._move, (parent,))

    def stop(self, parent: Any) -> None:
        """Stop the timer."""
        timer, self._timer = getattr(self, "_timer", None), None
        if timer is not None:
            timer.cancel()

    def _move(self, parent: Any) -> None:
        with parent.connection.default_channel.conn_or_acquire() as client:
            move_due_messages(client)
