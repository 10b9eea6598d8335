from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import CheckConstraint, DateTime, Index, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field

from src.models.base import BaseModel
from src.models.mixins import Authored
from src.models.search_index import search_index
from src.utils.crontab import Crontab
from src.utils.date import utc_now
from src.utils.recurrence import Interval, Once, Recurrence
from src.utils.solar import Solar, SolarEvent

INSTANT = timedelta(microseconds=1)


class ScheduleKind(StrEnum):
    """How a schedule's times are defined; the wire name is part of the API."""

    INTERVAL = "interval"
    CRONTAB = "crontab"
    SOLAR = "solar"
    CLOCKED = "clocked"


class IntervalPeriod(StrEnum):
    """The unit of an interval."""

    SECONDS = "seconds"
    MINUTES = "minutes"
    HOURS = "hours"
    DAYS = "days"


class MisfirePolicy(StrEnum):
    """What to do with runs missed while no scheduler was running."""

    SKIP = "skip"
    RUN_ONCE = "run_once"
    CATCH_UP = "catch_up"


class OverlapPolicy(StrEnum):
    """What to do when a run is due and the previous one has not finished."""

    ALLOW = "allow"
    SKIP = "skip"
    QUEUE = "queue"


class ScheduleOrigin(StrEnum):
    """Who owns the row: users, or the `beat_schedule` of the configuration."""

    USER = "user"
    CONFIG = "config"


class Schedule(Authored, BaseModel, table=True):
    """A task that beat sends at the times that the columns of its kind define.

    Beat takes due rows by the index on `next_run_at`, and computes it for enabled rows where it is null. A trigger sets
    it to null when an UPDATE changes the row's timing or `enabled`, and not `next_run_at` itself.

    Its author is the user who last changed it: `updated_by`. Their permissions decide at each run whether it may run.

    Attributes:
        pause_reason: Why it is disabled: in the words of the user who paused it, or beat's, for an invalid row or an
            author who may no longer start the task.
        paused_by: The user who paused it; None for beat.
    """

    __tablename__ = "schedules"

    name: str = Field(max_length=200, unique=True)
    description: str = Field(default="", sa_type=Text)
    origin: ScheduleOrigin = Field(default=ScheduleOrigin.USER, sa_type=Text)
    enabled: bool = True
    pause_reason: str | None = Field(default=None, sa_type=Text)
    paused_by: UUID | None = Field(default=None)

    task: str = Field(max_length=255)
    args: list[Any] = Field(default_factory=list, sa_type=JSONB)
    kwargs: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    queue: str | None = Field(default=None, max_length=255)
    priority: int | None = None
    headers: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    expires_seconds: float | None = None

    kind: ScheduleKind = Field(sa_type=Text)
    every: int | None = None
    period: IntervalPeriod | None = Field(default=None, sa_type=Text)
    crontab: str | None = Field(default=None, max_length=500)
    timezone: str = Field(default="UTC", max_length=64)
    event: SolarEvent | None = Field(default=None, sa_type=Text)
    latitude: float | None = None
    longitude: float | None = None
    clocked_time: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))

    start_time: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    end_time: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    max_runs: int | None = None
    jitter_seconds: float = 0
    misfire_policy: MisfirePolicy = Field(default=MisfirePolicy.RUN_ONCE, sa_type=Text)
    overlap_policy: OverlapPolicy = Field(default=OverlapPolicy.ALLOW, sa_type=Text)

    next_run_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    last_run_at: datetime | None = Field(default=None, sa_type=DateTime(timezone=True))
    total_run_count: int = 0

    __table_args__ = (
        Index("ix_schedules_due", "next_run_at", postgresql_where=text("enabled")),
        # One index for each filter and order of `GET /schedules`.
        Index("ix_schedules_create_time_id", "create_time", "id"),
        Index("ix_schedules_next_run_at_id", text("next_run_at NULLS FIRST"), "id"),
        Index("ix_schedules_last_run_at_id", text("last_run_at NULLS FIRST"), "id"),
        Index("ix_schedules_task_id", "task", "id"),
        Index("ix_schedules_kind_id", "kind", "id"),
        Index("ix_schedules_enabled_id", "enabled", "id"),
        Index("ix_schedules_origin_id", "origin", "id"),
        search_index("schedules", "name", "description"),
        CheckConstraint(
            "(kind = 'interval' AND every > 0 AND period IS NOT NULL)"
            " OR (kind = 'crontab' AND crontab IS NOT NULL)"
            " OR (kind = 'solar' AND event IS NOT NULL AND latitude IS NOT NULL AND longitude IS NOT NULL)"
            " OR (kind = 'clocked' AND clocked_time IS NOT NULL)",
            name="kind_has_its_timing",
        ),
    )

    @property
    def upcoming(self) -> datetime | None:
        """The next run, even if beat has not planned it yet; None if there is none or the schedule is disabled.

        Raises:
            ValueError: The columns are inconsistent.
        """
        return (self.next_run_at or self.next_run(utc_now())) if self.enabled and not self.is_exhausted else None

    @property
    def is_exhausted(self) -> bool:
        """Whether `max_runs` is reached."""
        return self.max_runs is not None and self.total_run_count >= self.max_runs

    @property
    def recurrence(self) -> Recurrence:
        """The recurrence that the columns of its kind define.

        Raises:
            ValueError: The columns are inconsistent.
        """
        if self.kind == ScheduleKind.INTERVAL and self.every and self.period:
            return Interval(self.start_time or self.create_time, timedelta(**{self.period: self.every}))
        if self.kind == ScheduleKind.CRONTAB and self.crontab:
            return Crontab.parse(self.crontab, ZoneInfo(self.timezone))
        if self.kind == ScheduleKind.SOLAR and self.event and self.latitude is not None and self.longitude is not None:
            return Solar(SolarEvent(self.event), self.latitude, self.longitude)
        if self.kind == ScheduleKind.CLOCKED and self.clocked_time:
            return Once(self.clocked_time)
        raise ValueError(f"schedule {self.name!r} of kind {self.kind} lacks its timing")

    def next_run(self, after: datetime) -> datetime | None:
        """The first slot after an aware time, between `start_time` and `end_time`; None if there is none.

        Raises:
            ValueError: The columns are inconsistent.
        """
        try:
            if self.start_time is not None and self.start_time > after:
                after = self.start_time - INSTANT
            slot = self.recurrence.next_run(after)
        except OverflowError:
            return None
        return None if slot is None or (self.end_time is not None and slot > self.end_time) else slot
