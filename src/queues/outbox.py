from collections.abc import Mapping
from typing import Any
from uuid import UUID

from celery import Celery

from src.core.effects import TaskCall
from src.core.task_headers import free_headers
from src.core.task_info import TaskInfo
from src.queues.catalog import read_catalog
from src.queues.publisher import publisher
from src.services.task_outbox import TaskOutboxService


class CeleryPublisher:
    """The way to the broker: what the outbox sends through.

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

    async def send(self, call: TaskCall) -> None:
        """Hand a call to the broker without blocking the loop.

        Raises:
            ServiceUnavailableError: The broker did not take it in time.
        """
        headers = {
            **free_headers(call.headers),
            "schedule_id": str(call.schedule_id) if call.schedule_id else None,
            "queued_at": call.queued_at.isoformat(),
            "requested_by": str(call.requested_by) if call.requested_by else None,
            "request_id": call.request_id or None,
        }
        options = {"task_id": str(call.id), "headers": headers, "queue": call.queue, "priority": call.priority}
        await publisher.publish(self._app.send_task, call.name, list(call.args), dict(call.kwargs), **options)

    async def revoke(self, task_id: UUID) -> None:
        """Tell all workers not to start a run, and to end it where it has begun.

        Raises:
            ServiceUnavailableError: The broker did not take it in time.
        """
        await publisher.publish(self._app.control.revoke, str(task_id), terminate=True)


def create_outbox(app: "Celery[Any]") -> TaskOutboxService:
    """The outbox that sends through an application's broker."""
    return TaskOutboxService(CeleryPublisher(app))
