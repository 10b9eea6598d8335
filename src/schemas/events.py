"""What services send to browsers, from whatever process they run in."""

from typing import Any

from src.schemas.notice import NoticeResponse
from src.schemas.task import TaskFinished, TaskProgress

# The one place where `uow.emit` looks.
SERVICE_EVENTS: dict[str, Any] = {
    "notice.published": NoticeResponse,
    "task.progress": TaskProgress,
    "task.finished": TaskFinished,
}
