"""Events that services emit, from any process."""

from typing import Any

from src.schemas.notice import NoticeResponse
from src.schemas.task import TaskFinished, TaskProgress

# Payload types; `uow.emit` accepts only these events in debug environments.
SERVICE_EVENTS: dict[str, Any] = {
    "notice.published": NoticeResponse,
    "task.progress": TaskProgress,
    "task.finished": TaskFinished,
}
