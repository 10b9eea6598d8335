from datetime import datetime
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, JsonValue, model_validator

from src.schemas.base import BaseRequest, BaseSchema, SafeStr
from src.schemas.list_params import MAXIMUM_IDS, MAXIMUM_PAGE_SIZE
from src.schemas.task import TaskName

LetterId = Annotated[str, Field(pattern="^[0-9a-f]{32}$", examples=["9f86d081884c7d659a2feaa0c55ad015"])]
Queue = Annotated[SafeStr, Field(max_length=255, examples=["celery"])]


class DeadLetterQuery(BaseRequest):
    """Filters of the list of dead letters, newest first; with one, the 10,000 newest are searched."""

    page: int = Field(1, ge=1, le=1000)
    """Number of the page, from 1."""
    page_size: int = Field(20, ge=1, le=MAXIMUM_PAGE_SIZE)
    """How many a page has."""
    task: TaskName | None = None
    """Only messages for this task."""
    queue: Queue | None = None
    """Only messages that came from this queue."""


class DeadLetterChoice(BaseRequest):
    """Some dead letters: those with these ids, or all of a task or a queue; at most 1,000 at once."""

    ids: Annotated[list[LetterId], Field(min_length=1, max_length=MAXIMUM_IDS)] | None = None
    """Ids of dead letters."""
    task: TaskName | None = None
    """A task's name."""
    queue: Queue | None = None
    """The queue that they came from."""

    EXAMPLE: ClassVar = {"task": "notices.announce"}

    @model_validator(mode="after")
    def _require_one(self) -> Self:
        if self.ids is None and self.task is None and self.queue is None:
            raise ValueError("ids, task or queue is required")
        return self


class DeadLetterResponse(BaseSchema):
    """A message that no worker could run, or whose run gave up. What it does not say legibly is null."""

    id: str
    """Identifies the dead letter."""
    task: str | None
    """The task that it is for."""
    task_id: str | None
    """Id of the run."""
    queue: str | None
    """The queue that it came from; null if it cannot be retried."""
    args: list[JsonValue] | None
    """Positional arguments; secrets are masked."""
    kwargs: dict[str, JsonValue] | None
    """Named arguments; secrets are masked."""
    queued_at: datetime | None
    """When the run was sent."""

    EXAMPLE: ClassVar = {
        "id": "9f86d081884c7d659a2feaa0c55ad015",
        "task": "notices.announce",
        "taskId": "019b7700-0000-7000-8000-000000000000",
        "queue": "celery",
        "args": [],
        "kwargs": {"notice_id": "019b7700-0000-7000-8000-000000000000"},
    }


class DeadLetterCount(BaseSchema):
    """How many dead letters were retried or dropped."""

    count: int
    """How many."""

    EXAMPLE: ClassVar = {"count": 3}


class MalformedMessages(BaseSchema):
    """Messages that could not be read, and were set aside."""

    source: Literal["messages", "run_events"]
    """What they should have been: messages of the broker, or events of the run history."""
    total: int
    """How many there are."""
    records: list[str]
    """The newest of them, as text; what is longer than 4,000 characters is cut."""

    EXAMPLE: ClassVar = {"total": 1, "records": ["not a message"]}
