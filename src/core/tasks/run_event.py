"""What a worker tells of a run, and the ledger writes down: entries of one Redis stream."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field, field_validator

from src.utils.date import utc_now
from src.utils.storable import storable

STREAM = "tasks:runs"
# How many entries the stream keeps while nobody can write them down: an hour of 25 a second, some 50 MB.
CAPACITY = 100_000


def revocation_key(task_id: object) -> str:
    """The Redis key that says that a run must not start any more."""
    return f"tasks:revoked:{task_id}"


class RunEvent(BaseModel):
    """A change of a run; what it does not tell of is None and stays as it was."""

    id: UUID
    at: datetime = Field(default_factory=utc_now)
    state: str | None = None
    name: str | None = None
    args: list[Any] | None = None
    kwargs: dict[str, Any] | None = None
    is_complete: bool | None = None
    queued_at: datetime | None = None
    queue: str | None = None
    worker: str | None = None
    result: Any = None
    error: str | None = None
    traceback: str | None = None
    progress: dict[str, Any] | None = None
    schedule_id: UUID | None = None
    requested_by: UUID | None = None
    request_id: str | None = None

    @field_validator("args", "kwargs", "result", "error", "traceback", "progress", mode="before")
    @classmethod
    def _replace_what_cannot_be_stored(cls, value: Any) -> Any:
        # One event that no row can hold would keep all later ones out of the ledger.
        return storable(value)

    def written(self) -> str:
        """As the stream's entries hold it, in their field `event`."""
        return self.model_dump_json(exclude_none=True, fallback=repr)
