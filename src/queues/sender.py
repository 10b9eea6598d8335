from collections.abc import Mapping
from typing import Any

from celery import Celery

from src.core.task_info import TaskInfo
from src.queues.catalog import read_catalog
from src.queues.publisher import publisher


class CelerySender:
    """Publishes tasks by name: the unit of work's `TaskSender`.

    Args:
        app: Whose broker and routes to use.
    """

    def __init__(self, app: "Celery[Any]") -> None:
        self._app = app
        self._catalog: dict[str, TaskInfo] = {}

    def catalog(self) -> Mapping[str, TaskInfo]:
        """The registered tasks, by name; their modules are imported when somebody asks first."""
        if not self._catalog:
            self._catalog = read_catalog(self._app)
        return self._catalog

    async def send(self, name: str, kwargs: Mapping[str, Any], *, task_id: str | None = None) -> None:
        """Hand the task to the broker without blocking the loop.

        Raises:
            ServiceUnavailableError: The broker did not take it in time.
        """
        await publisher.publish(self._app.send_task, name, kwargs=dict(kwargs), task_id=task_id)
