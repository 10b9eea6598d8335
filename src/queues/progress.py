import time
from typing import Any
from uuid import UUID

from celery import current_task

from src.core.effects import user_room
from src.core.resources import current_resources
from src.core.tasks.run_event import RunEvent
from src.crud.run_event import RunEventCRUD
from src.queues.results.run_history import run_id
from src.schemas.task import Progress, TaskProgress

# Browsers and the ledger need not know more often.
INTERVAL_SECONDS = 0.25


async def progress(done: float, total: float | None = None, note: str = "") -> None:
    """Tell how far the present task is: the event `task.progress` for the user who caused it, and the ledger.

    Of what comes within a quarter of a second the first is told, and the end always: call it as often as you like.

    Raises:
        RuntimeError: Called outside a task.
    """
    request: Any = getattr(current_task, "request", None)
    if request is None or request.id is None:
        raise RuntimeError("progress() is for code that runs in a task.")
    now = time.monotonic()
    if now - getattr(request, "progress_told", 0) < INTERVAL_SECONDS and done != total:
        return
    request.progress_told = now
    state = Progress(done=done, total=total, note=note)
    resources = current_resources()
    if run := run_id(request.id):
        await RunEventCRUD(resources.redis).add(RunEvent(id=run, progress=state.model_dump()))
        if user := getattr(request, "requested_by", None):
            event = TaskProgress(task_id=run, name=request.task, **state.model_dump())
            await resources.events.emit("task.progress", event, room=user_room(UUID(user)))
