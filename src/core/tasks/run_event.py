"""Run events: workers append them to a Redis stream; `tasks.record` writes them to `task_runs`."""

from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, NamedTuple
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, field_validator
from pydantic_core import to_json

from src.utils.date import utc_now
from src.utils.text import to_storable

STREAM = "tasks:runs"
MALFORMED_STREAM = "tasks:runs:malformed"
# How many events the stream keeps while they cannot be written: an hour at 25 per second, about 50 MB.
CAPACITY = 100_000
# Limit for arguments, results, errors and tracebacks of one run.
MAXIMUM_BYTES = 16 * 1024


def revocation_key(task_id: object) -> str:
    """The Redis key that keeps a revoked run from starting."""
    return f"tasks:revoked:{task_id}"


State = Annotated[str, Field(pattern="^(PENDING|STARTED|RETRY|SUCCESS|FAILURE|REVOKED)$")]
# Names of tasks, queues and workers repeat.
ShortText = Annotated[str, AfterValidator(lru_cache(maxsize=1024)(lambda text: to_storable(text)[:255]))]
RequestId = Annotated[str, AfterValidator(lambda text: to_storable(text)[:128])]


class RunEvent(BaseModel):
    """A change of a run; fields that are None did not change."""

    id: UUID
    at: datetime = Field(default_factory=utc_now)
    state: State | None = None
    name: ShortText | None = None
    args: list[Any] | None = None
    kwargs: dict[str, Any] | None = None
    is_complete: bool | None = None
    queued_at: datetime | None = None
    queue: ShortText | None = None
    worker: ShortText | None = None
    result: Any = None
    error: str | None = None
    traceback: str | None = None
    progress: dict[str, Any] | None = None
    schedule_id: UUID | None = None
    requested_by: UUID | None = None
    request_id: RequestId | None = None

    @field_validator("args", "kwargs", "result", "error", "traceback", "progress", mode="before")
    @classmethod
    def _make_storable(cls, value: Any) -> Any:
        # An event that PostgreSQL rejects would block all later ones.
        return to_storable(value)

    def to_json(self) -> str:
        """The value of the field `event` in a stream entry."""
        return self.model_dump_json(exclude_none=True, fallback=repr)


class UncheckedRunEvent(NamedTuple):
    """A run event as workers write it: `tasks.record` checks it, when it reads it as a `RunEvent`.

    Creating it takes a worker a fifth of the time.

    Attributes:
        id: The run's id.
        fields: Other fields of a `RunEvent`.
    """

    id: UUID
    fields: dict[str, Any]

    def to_json(self) -> str:
        """The value of the field `event` in a stream entry."""
        fields = {name: value for name, value in self.fields.items() if value is not None}
        event = {"id": self.id, **fields}
        try:
            return _to_json(event)
        except ValueError:  # a lone surrogate
            return _to_json(to_storable(event))


def _to_json(event: dict[str, Any]) -> str:
    return to_json(event, inf_nan_mode="null", fallback=repr).decode()
