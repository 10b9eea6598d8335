from datetime import datetime
from typing import Annotated, ClassVar, Literal, Self
from uuid import UUID

from pydantic import AliasChoices, Field, JsonValue, model_validator

from src.models.task_run import RunState
from src.schemas.base import BaseRequest, BaseSchema, SafeStr, UtcDatetime
from src.schemas.list_params import MAXIMUM_IDS, CursorQuery, SortBy
from src.schemas.schedule_fields import Arguments, NamedArguments, QueueName

MAXIMUM_COUNTDOWN_SECONDS = 366 * 24 * 3600
TaskName = Annotated[SafeStr, Field(max_length=255, examples=["system.ping"])]
TaskIds = Annotated[list[UUID], Field(min_length=1, max_length=MAXIMUM_IDS)]
# The run's id, under the name that Celery uses.
TaskId = Annotated[UUID, Field(validation_alias=AliasChoices("id", "taskId"), serialization_alias="taskId")]


class TaskParameter(BaseSchema):
    """A parameter of a task."""

    name: str
    """The parameter's name."""
    type: str
    """Its annotation; empty if it has none."""
    required: bool
    """Whether it has no default."""
    json_schema: dict[str, JsonValue]
    """JSON schema of its values, with the default; empty if any JSON is accepted."""

    EXAMPLE: ClassVar = {"name": "notice_id", "type": "UUID", "jsonSchema": {"type": "string", "format": "uuid"}}


class TaskResponse(BaseSchema):
    """A registered task."""

    name: str
    """The task's name."""
    description: str
    """First line of its docstring."""
    requires: str | None
    """The permission code that starting it takes; null: internal, no user can."""
    parameters: list[TaskParameter]
    """What it takes."""

    EXAMPLE: ClassVar = {
        "name": "notices.announce",
        "description": "Announce a notice to every connected client.",
        "requires": "POST:/api/v1/notices",
    }


class RunQuery(CursorQuery):
    """Filters of the run list, newest run first."""

    sort: Annotated[SafeStr, SortBy("queued_at", "id")] = "-queued_at"
    name: TaskName | None = None
    """Only runs of this task."""
    state: RunState | None = None
    """Only runs in this state."""
    schedule_id: UUID | None = None
    """Only runs of this schedule."""
    requested_by: UUID | None = None
    """Only runs that this user requested."""
    queued_at__gte: UtcDatetime | None = None
    """Only runs that were sent at this time or later."""
    queued_at__lt: UtcDatetime | None = None
    """Only runs that were sent before this time."""


class RunCreate(BaseRequest):
    """A task to send now, or later."""

    args: Arguments = Field(default_factory=list)
    """Positional arguments of the task."""
    kwargs: NamedArguments = Field(default_factory=dict)
    """Named arguments of the task."""
    queue: Annotated[QueueName, Field(examples=["celery"])] | None = None
    """The queue to send it to; null for the task's own."""
    countdown_seconds: Annotated[float, Field(ge=0, le=MAXIMUM_COUNTDOWN_SECONDS)] = 0
    """It does not start before so many seconds have passed."""

    EXAMPLE: ClassVar = {"args": [], "kwargs": {}, "countdownSeconds": 0}


class RunsToRevoke(BaseRequest):
    """The runs to revoke."""

    task_ids: TaskIds
    """Ids of runs."""

    EXAMPLE: ClassVar = {"taskIds": ["019b7700-0000-7000-8000-000000000000"]}


class RevokeResult(BaseSchema):
    """What became of a run that was to be revoked."""

    task_id: UUID
    """The run's id."""
    outcome: Literal["revoked", "finished", "unknown"]
    """`finished`: it had ended before; `unknown`: there is no such run."""


class RunsToRetry(BaseRequest):
    """The failed runs to retry: those with these ids, or all of a task; at most 1,000."""

    ids: Annotated[TaskIds | None, Field(validation_alias=AliasChoices("taskIds", "ids"))] = None
    """Ids of runs; `ids` is accepted as well."""
    name: TaskName | None = None
    """A task's name."""

    EXAMPLE: ClassVar = {"name": "system.ping"}

    @model_validator(mode="after")
    def _require_ids_or_name(self) -> Self:
        if self.ids is None and self.name is None:
            raise ValueError("taskIds or name is required")
        return self


class Progress(BaseSchema):
    """The progress of a run."""

    done: float
    """How much is done."""
    total: float | None = None
    """How much there is to do, if that is known."""
    note: str = ""
    """What is being done."""

    EXAMPLE: ClassVar = {"done": 20, "total": 100, "note": "Reading rows"}


class TaskProgress(Progress):
    """The event `task.progress`, sent to the user who requested the run."""

    task_id: UUID
    """The run's id."""
    name: str
    """The task's name."""

    EXAMPLE: ClassVar = {**Progress.EXAMPLE, "name": "notices.announce"}


class TaskFinished(BaseSchema):
    """The event `task.finished`, sent to the user who requested the run."""

    task_id: TaskId
    """The run's id."""
    name: str
    """The task's name."""
    state: RunState
    """How it ended."""
    error: str | None
    """Type and message of the exception; null if there is none."""

    EXAMPLE: ClassVar = {"name": "notices.announce", "state": "SUCCESS"}


class RunResponse(BaseSchema):
    """A task run."""

    task_id: TaskId
    """The run's id."""
    name: str
    """The task's name."""
    state: RunState
    """The state, named as in Celery."""
    args: list[JsonValue]
    """Positional arguments; secrets are masked."""
    kwargs: dict[str, JsonValue]
    """Named arguments; secrets are masked."""
    attempts: int
    """How many times the run was started."""
    attempt_starts: list[datetime] | None
    """When it was started, oldest first, at most the last 20 times; null before the first."""
    queued_at: datetime | None
    """When it was sent."""
    started_at: datetime | None
    """When a worker last started it."""
    finished_at: datetime | None
    """When it ended."""
    queue: str | None
    """The queue that it was sent to."""
    worker: str | None
    """The worker that started it."""
    result: JsonValue
    """What the task returned: any JSON value."""
    error: str | None
    """Type and message of the exception; null if there is none."""
    traceback: str | None
    """The traceback of the exception."""
    progress: Progress | None
    """The progress that the task last reported."""
    schedule_id: UUID | None
    """The schedule that sent it."""
    requested_by: UUID | None
    """The user who requested it."""
    request_id: str | None
    """`X-Request-ID` of the request that sent it."""
    retry_of: UUID | None
    """The run that it repeats."""
    retried_by: UUID | None
    """The run that repeats it."""

    EXAMPLE: ClassVar = {
        "name": "notices.announce",
        "state": "SUCCESS",
        "args": [],
        "kwargs": {"notice_id": "019b7700-0000-7000-8000-000000000000"},
        "attempts": 1,
        "attemptStarts": ["2026-01-01T00:00:00Z"],
        "queue": "celery",
        "worker": "celery@worker-1",
        "requestId": "019b7700-0000-7000-8000-000000000000",
    }
