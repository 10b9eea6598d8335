from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AliasChoices, Field, model_validator

from src.models.task_run import RunState
from src.schemas.base import BaseRequest, BaseSchema, SafeStr, UtcDatetime
from src.schemas.query import MAXIMUM_IDS, CursorQuery, SortBy

TaskName = Annotated[SafeStr, Field(max_length=255)]
# The run's id, by the name that Celery's users know.
TaskId = Annotated[UUID, Field(validation_alias=AliasChoices("id", "taskId"), serialization_alias="taskId")]


class TaskParameter(BaseSchema):
    """What a task takes."""

    name: str
    type: str = Field(description="As its function says it; empty when it says nothing.")
    required: bool


class TaskResponse(BaseSchema):
    """A registered task."""

    name: str
    description: str
    parameters: list[TaskParameter]


class RunQuery(CursorQuery):
    """Which runs, newest first."""

    sort: Annotated[SafeStr, SortBy("id")] = "-id"
    name: TaskName | None = None
    state: RunState | None = None
    schedule_id: UUID | None = None
    requested_by: UUID | None = None
    queued_at__gte: UtcDatetime | None = None
    queued_at__lt: UtcDatetime | None = None


class RunsToRetry(BaseRequest):
    """Which failed runs are to be repeated: those named, or all of a task, 1,000 at most."""

    ids: Annotated[list[UUID], Field(min_length=1, max_length=MAXIMUM_IDS)] | None = None
    name: TaskName | None = None

    @model_validator(mode="after")
    def _names_some(self) -> Self:
        if self.ids is None and self.name is None:
            raise ValueError("say which: ids or name")
        return self


class Progress(BaseSchema):
    """How far a run is."""

    done: float
    total: float | None = None
    note: str = ""


class TaskProgress(Progress):
    """The event `task.progress`, for the user in whose name the task was sent."""

    task_id: UUID
    name: str


class TaskFinished(BaseSchema):
    """The event `task.finished`, for the user in whose name the task was sent."""

    task_id: TaskId
    name: str
    state: RunState
    error: str | None


class RunResponse(BaseSchema):
    """What became of a task that was sent."""

    task_id: TaskId
    name: str
    state: RunState
    args: list[Any] = Field(description="Without secrets; `kwargs` likewise.")
    kwargs: dict[str, Any]
    attempts: int = Field(description="How often it was started.")
    queued_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    queue: str | None
    worker: str | None
    result: Any
    error: str | None
    traceback: str | None
    progress: Progress | None
    schedule_id: UUID | None
    requested_by: UUID | None
    request_id: str | None
    retry_of: UUID | None
    retried_by: UUID | None
