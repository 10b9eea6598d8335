from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import AliasChoices, Field, model_validator

from src.models.task_run import RunState
from src.schemas.base import BaseRequest, BaseSchema, SafeStr, UtcDatetime
from src.schemas.list_params import MAXIMUM_IDS, CursorQuery, SortBy

TaskName = Annotated[SafeStr, Field(max_length=255)]
# The run's id, under the name that Celery uses.
TaskId = Annotated[UUID, Field(validation_alias=AliasChoices("id", "taskId"), serialization_alias="taskId")]


class TaskParameter(BaseSchema):
    """A parameter of a task."""

    name: str
    type: str = Field(description="The annotation of the parameter; empty if it has none.")
    required: bool


class TaskResponse(BaseSchema):
    """A registered task."""

    name: str
    description: str
    requires: str | None = Field(description="The permission code that starting it takes; null: internal, no user can.")
    parameters: list[TaskParameter]


class RunQuery(CursorQuery):
    """Filters of the run list, newest run first."""

    sort: Annotated[SafeStr, SortBy("id")] = "-id"
    name: TaskName | None = None
    state: RunState | None = None
    schedule_id: UUID | None = None
    requested_by: UUID | None = None
    queued_at__gte: UtcDatetime | None = None
    queued_at__lt: UtcDatetime | None = None


class RunsToRetry(BaseRequest):
    """The failed runs to retry: those with these ids, or all of a task; at most 1,000."""

    ids: Annotated[list[UUID], Field(min_length=1, max_length=MAXIMUM_IDS)] | None = None
    name: TaskName | None = None

    @model_validator(mode="after")
    def _require_ids_or_name(self) -> Self:
        if self.ids is None and self.name is None:
            raise ValueError("ids or name is required")
        return self


class Progress(BaseSchema):
    """The progress of a run."""

    done: float
    total: float | None = None
    note: str = ""


class TaskProgress(Progress):
    """The event `task.progress`, sent to the user who requested the run."""

    task_id: UUID
    name: str


class TaskFinished(BaseSchema):
    """The event `task.finished`, sent to the user who requested the run."""

    task_id: TaskId
    name: str
    state: RunState
    error: str | None


class RunResponse(BaseSchema):
    """A task run."""

    task_id: TaskId
    name: str
    state: RunState
    args: list[Any] = Field(description="Secrets are masked, as in `kwargs`.")
    kwargs: dict[str, Any]
    attempts: int = Field(description="How many times the run was started.")
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
