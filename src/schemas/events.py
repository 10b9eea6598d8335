"""What services send to browsers, from whatever process they run in."""

from typing import Any

from src.schemas.base import BaseSchema
from src.schemas.notice import NoticeResponse


class TaskProgress(BaseSchema):
    """How far a task of the caller's is."""

    task_id: str
    name: str
    done: float
    total: float | None
    note: str


class TaskFinished(BaseSchema):
    """A task of the caller's has ended; what it returned is behind `GET /tasks/runs/{taskId}`."""

    task_id: str
    name: str
    state: str


# The one place where `uow.emit` looks.
SERVICE_EVENTS: dict[str, Any] = {
    "notice.published": NoticeResponse,
    "task.progress": TaskProgress,
    "task.finished": TaskFinished,
}
