import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from src.core.effects import TaskCall
from src.core.tasks.headers import free_headers
from src.core.tasks.info import TaskInfo
from src.services.outbox import OutboxService

if TYPE_CHECKING:
    from celery import Celery


class CeleryPublisher:
    """The way to the broker: what the outbox sends through.

    Celery is imported with the first use, in a thread, as it takes half a second: a process that only answers does
    without, and a loop never stands still for it.

    Args:
        app: Whose broker and routes to use; without it, the product's.
    """

    def __init__(self, app: "Celery[Any] | None" = None) -> None:
        self._app = app
        self._catalog: dict[str, TaskInfo] = {}

    async def catalog(self) -> Mapping[str, TaskInfo]:
        """The registered tasks, by name; their modules are imported when somebody asks first."""
        if not self._catalog:
            self._catalog = await asyncio.to_thread(_read_catalog, await self._celery())
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
        celery = await self._celery()
        from src.queues.publisher_thread import publisher

        await publisher.publish(celery.send_task, call.name, list(call.args), dict(call.kwargs), **options)

    async def revoke(self, task_id: UUID) -> None:
        """Tell all workers not to start a run, and to end it where it has begun.

        Raises:
            ServiceUnavailableError: The broker did not take it in time.
        """
        celery = await self._celery()
        from src.queues.publisher_thread import publisher

        await publisher.publish(celery.control.revoke, str(task_id), terminate=True)

    async def _celery(self) -> "Celery[Any]":
        if self._app is None:
            self._app = await asyncio.to_thread(_load)
        return self._app


def _load() -> "Celery[Any]":
    from src.queues.app import app

    return app


def _read_catalog(app: "Celery[Any]") -> dict[str, TaskInfo]:
    from src.queues.catalog import read_catalog

    return read_catalog(app)


def create_outbox(app: "Celery[Any] | None" = None) -> OutboxService:
    """The outbox that sends through the broker of an application; without one, of the product's."""
    return OutboxService(CeleryPublisher(app))
