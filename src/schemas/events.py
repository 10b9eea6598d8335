"""Events that services emit, from any process."""

from typing import Any

from src.schemas.notice import NoticeResponse
from src.schemas.ops import OpsOverview
from src.schemas.schedule import ScheduleDeleted, ScheduleResponse
from src.schemas.task import RunResponse, TaskFinished, TaskProgress

# Payload types; `uow.emit` accepts only these events in debug environments.
SERVICE_EVENTS: dict[str, Any] = {
    "notice.published": NoticeResponse,
    "task.progress": TaskProgress,
    "task.finished": TaskFinished,
    # To those who watch (`runs.watch`).
    "run.changed": RunResponse,
    "ops.overview": OpsOverview,
    "schedule.changed": ScheduleResponse,
    "schedule.deleted": ScheduleDeleted,
}
