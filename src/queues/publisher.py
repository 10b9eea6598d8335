import asyncio
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from src.core.effects import TaskCall
from src.core.tasks.headers import free_headers
from src.core.tasks.info import TaskInfo
from src.queues.inspection.queues import BrokerQueues
from src.services.outbox import OutboxService
from src.utils.docstring import first_line

if TYPE_CHECKING:
    from celery import Celery

# Names of Celery's own tasks, which implement workflows.
INTERNAL_PREFIX = "celery."


class CeleryPublisher:
    """Sends tasks to the broker, and knows which tasks there are.

    Importing Celery takes half a second. It happens on first use, in a thread, so that processes that send nothing do
    not pay for it, and no event loop blocks.

    Args:
        load: Imports and returns the Celery application, such as `src.queues.load_app`; called once.
    """

    def __init__(self, load: "Callable[[], Celery[Any]]") -> None:
        self._load = load
        self._loaded: Celery[Any] | None = None
        self.queues = BrokerQueues(self._app)
        self._catalog: dict[str, TaskInfo] = {}

    async def catalog(self) -> Mapping[str, TaskInfo]:
        """The registered tasks by name; their modules are imported on first use."""
        if not self._catalog:
            self._catalog = await asyncio.to_thread(read_catalog, await self._app())
        return self._catalog

    async def send(self, call: TaskCall) -> None:
        """Send a task without blocking the loop.

        Raises:
            ServiceUnavailableError: The broker did not accept the message in time.
        """
        headers = {
            **free_headers(call.headers),
            "schedule_id": str(call.schedule_id) if call.schedule_id else None,
            "queued_at": call.queued_at.isoformat(),
            "requested_by": str(call.requested_by) if call.requested_by else None,
            "request_id": call.request_id or None,
        }
        options = {"queue": call.queue, "priority": call.priority, "eta": call.eta, "expires": call.expires}
        # Celery would take None for a value that overrides the task's own.
        given = {name: value for name, value in options.items() if value is not None}
        app = await self._app()
        arguments = list(call.args), dict(call.kwargs)
        await _publish(app.send_task, call.name, *arguments, task_id=str(call.id), headers=headers, **given)

    async def revoke(self, task_ids: Sequence[UUID]) -> None:
        """Tell all workers not to start these runs, or to terminate them.

        Raises:
            ServiceUnavailableError: The broker did not accept the message in time.
        """
        app = await self._app()
        await _publish(app.control.revoke, [str(task_id) for task_id in task_ids], terminate=True)

    async def _app(self) -> "Celery[Any]":
        if self._loaded is None:
            self._loaded = await asyncio.to_thread(self._load_with_tasks)
        return self._loaded

    def _load_with_tasks(self) -> "Celery[Any]":
        """The application with its tasks, whose own options (queue, priority) apply to what is sent by name."""
        app = self._load()
        app.loader.import_default_modules()
        app.finalize()
        return app


async def _publish(send: Callable[..., Any], *args: Any, **options: Any) -> None:
    from src.queues.publisher_thread import publisher_thread  # imports kombu

    await publisher_thread.publish(send, *args, **options)


def create_outbox(load: "Callable[[], Celery[Any]]") -> OutboxService:
    """The outbox whose tasks go to the broker of a Celery application."""
    return OutboxService(CeleryPublisher(load))


def read_catalog(app: "Celery[Any]") -> dict[str, TaskInfo]:
    """Metadata of all tasks of an application but Celery's own, sorted by name."""
    app.loader.import_default_modules()
    return {name: _describe(task) for name, task in sorted(app.tasks.items()) if not name.startswith(INTERNAL_PREFIX)}


def _describe(task: Any) -> TaskInfo:
    run = getattr(task, "_orig_run", task.run)  # `autoretry_for` wraps the function
    return TaskInfo(task.name, first_line(run), inspect.signature(run, eval_str=True), getattr(task, "requires", None))
