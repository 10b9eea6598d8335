from collections.abc import Mapping
from typing import Any

from celery import Celery

from src.queues.publisher import publisher


class CelerySender:
    """Publishes tasks by name: the unit of work's `TaskSender`.

    Args:
        app: Whose broker and routes to use.
    """

    def __init__(self, app: "Celery[Any]") -> None:
        self._app = app

    async def send(self, name: str, kwargs: Mapping[str, Any], *, task_id: str | None = None) -> None:
        """Hand the task to the broker without blocking the loop.

        Raises:
            ServiceUnavailableError: The broker did not take it in time.
        """
        await publisher.publish(self._app.send_task, name, kwargs=dict(kwargs), task_id=task_id)
