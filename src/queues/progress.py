import time
from typing import Any
from uuid import UUID

from celery import current_task

from src.core.realtime.rooms import user_room
from src.core.resources import current_resources
from src.core.tasks.run_event import RunEvent
from src.crud.run_event import RunEventCRUD
from src.queues.results.run_history import run_id
from src.schemas.task import Progress, TaskProgress

INTERVAL_SECONDS = 0.25


async def progress(done: float, total: float | None = None, note: str = "") -> None:
    """Report the current task's progress: emits `task.progress` to the user who requested it, and updates the run.

    Calls may be frequent: at most one per quarter of a second is reported, and always the last one (`done == total`).

    Raises:
        RuntimeError: Called outside a task.
    """
    request: Any = getattr(current_task, "request", None)
    if request is None or request.id is None:
        raise RuntimeError("progress() only works in code that runs in a task.")
    now = time.monotonic()
    if now - getattr(request, "progress_sent_at", 0) < INTERVAL_SECONDS and done != total:
        return
    request.progress_sent_at = now
    state = Progress(done=done, total=total, note=note)
    resources = current_resources()
    if run := run_id(request.id):
        await RunEventCRUD(resources.redis).add(RunEvent(id=run, progress=state.model_dump()))
        if user := getattr(request, "requested_by", None):
            event = TaskProgress(task_id=run, name=request.task, **state.model_dump())
            await resources.events.emit("task.progress", event, room=user_room(UUID(user)))
