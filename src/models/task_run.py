from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from src.models.base import BaseModel


class RunState(StrEnum):
    """The state of a run, named as in Celery."""

    PENDING = "PENDING"
    STARTED = "STARTED"
    RETRY = "RETRY"
    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"
    REVOKED = "REVOKED"


MAXIMUM_STARTS = 20
FINISHED = frozenset({RunState.SUCCESS, RunState.FAILURE, RunState.REVOKED})


class TaskRun(BaseModel, table=True):
    """A run of a task in the run history; its id is Celery's task id.

    Attributes:
        args: The arguments as sent, with secrets masked; `kwargs` likewise.
        is_complete: Whether the stored arguments equal those sent, so that the run can be repeated.
        attempts: How often it was started.
        attempt_starts: When, in ISO 8601: the last `MAXIMUM_STARTS`. None before the first.
        worker: The name of the last worker that ran it.
        request_id: The id of the request that caused it.
        retry_of: The run that this one repeats.
        retried_by: The run that repeats this one.
    """

    __tablename__ = "task_runs"

    name: str = Field(default="", max_length=255)
    state: RunState = Field(default=RunState.PENDING, sa_type=Text)
    args: list[Any] = Field(default_factory=list, sa_type=JSONB)
    kwargs: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    is_complete: bool = True
    attempts: int = 0
    attempt_starts: list[str] | None = Field(default=None, sa_type=JSONB, nullable=True)
    queued_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    started_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    finished_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True), index=True)
    queue: str | None = Field(default=None, max_length=255)
    worker: str | None = Field(default=None, max_length=255)
    result: Any = Field(default=None, sa_type=JSONB, nullable=True)
    error: str | None = Field(default=None, sa_type=Text)
    traceback: str | None = Field(default=None, sa_type=Text)
    progress: dict[str, Any] | None = Field(default=None, sa_type=JSONB)
    schedule_id: UUID | None = None
    requested_by: UUID | None = None
    request_id: str | None = Field(default=None, max_length=128)
    retry_of: UUID | None = None
    retried_by: UUID | None = None

    # One index per filter of `GET /tasks/runs`, in the order of its results.
    __table_args__ = (
        Index("ix_task_runs_queued_at_id", text("queued_at NULLS FIRST"), "id"),
        Index("ix_task_runs_name_queued_at_id", "name", text("queued_at NULLS FIRST"), "id"),
        Index("ix_task_runs_state_queued_at_id", "state", text("queued_at NULLS FIRST"), "id"),
        Index("ix_task_runs_schedule_id_queued_at_id", "schedule_id", text("queued_at NULLS FIRST"), "id"),
        Index("ix_task_runs_requested_by_queued_at_id", "requested_by", text("queued_at NULLS FIRST"), "id"),
    )

    @property
    def is_finished(self) -> bool:
        """Whether its state is final."""
        return self.state in FINISHED
