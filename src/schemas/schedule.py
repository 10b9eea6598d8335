from datetime import datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import AliasChoices, Field, GetJsonSchemaHandler, StrictBool
from pydantic_core import CoreSchema
from typing_extensions import override

from src.models.schedule import IntervalPeriod, MisfirePolicy, OverlapPolicy, ScheduleKind, ScheduleOrigin
from src.schemas.base import BaseRequest, BaseSchema, SafeStr, UtcDatetime
from src.schemas.list_params import PageQuery, SearchIn, SortBy
from src.schemas.response import BaseResponse
from src.schemas.schedule_fields import (
    Arguments,
    Every,
    Expression,
    Headers,
    Name,
    NamedArguments,
    QueueName,
    TaskName,
    Zone,
)
from src.schemas.schedule_kinds import split_by_kind
from src.utils.solar import SolarEvent

# The default of fields that an update may omit; none of them accepts null.
OMITTED: Any = None
# Unless the transport is the bulk one, workers hold a run meanwhile: well within the broker's visibility timeout.
MAXIMUM_JITTER_SECONDS = 900


class ScheduleCreate(BaseRequest):
    """A task that is sent periodically; each `kind` requires its own timing fields.

    `interval`: `every`, `period`. `crontab`: `crontab`, `timezone`. `solar`: `event`, `latitude`, `longitude`.
    `clocked`: `clockedTime`.
    """

    name: Name
    """Names the schedule; each has a different name."""
    description: Annotated[SafeStr, Field(max_length=2000)] = ""
    """What it is for."""
    enabled: StrictBool = True
    """Whether it sends its task."""
    task: TaskName
    """Name of a registered task."""
    args: Arguments = Field(default_factory=list)
    """Positional arguments of the task."""
    kwargs: NamedArguments = Field(default_factory=dict)
    """Named arguments of the task."""
    kind: ScheduleKind
    """How its times are defined."""
    every: Annotated[Every, Field(examples=[30])] | None = None
    """Length of the interval, in units of `period`."""
    period: IntervalPeriod | None = None
    """The unit of `every`."""
    crontab: Annotated[Expression, Field(examples=["*/5 * * * *"])] | None = None
    """Minute, hour, day of the month, month and day of the week."""
    timezone: Zone = "UTC"
    """IANA time zone of the crontab."""
    event: SolarEvent | None = None
    """The event of the sun."""
    latitude: Annotated[float, Field(ge=-90, le=90, examples=[48.86])] | None = None
    """Degrees, positive in the north."""
    longitude: Annotated[float, Field(ge=-180, le=180, examples=[2.35])] | None = None
    """Degrees, positive in the east."""
    clocked_time: UtcDatetime | None = None
    """The time of the only run."""
    queue: Annotated[QueueName, Field(examples=["celery"])] | None = None
    """The queue to send the task to; null for the task's own."""
    priority: Annotated[int, Field(ge=0, le=9, examples=[5])] | None = None
    """Priority of the message; null for the task's own."""
    headers: Headers = Field(default_factory=dict)
    """Further headers of the message."""
    expires_seconds: Annotated[float, Field(gt=0, le=366 * 24 * 3600, examples=[3600])] | None = None
    """A run that no worker has started after so many seconds is dropped."""
    start_time: UtcDatetime | None = None
    """No run is sent before."""
    end_time: UtcDatetime | None = None
    """No run is sent after."""
    max_runs: Annotated[int, Field(ge=1, le=2**31 - 1, examples=[100])] | None = None
    """The schedule ends after so many runs."""
    jitter_seconds: Annotated[float, Field(ge=0, le=MAXIMUM_JITTER_SECONDS)] = 0
    """Each run is delayed by a random time up to this."""
    misfire_policy: MisfirePolicy = MisfirePolicy.RUN_ONCE
    """What to do with runs missed while no scheduler was running."""
    overlap_policy: OverlapPolicy = OverlapPolicy.ALLOW
    """What to do when a run is due and the previous one has not finished."""

    EXAMPLE: ClassVar = {
        "name": "Heartbeat",
        "task": "system.ping",
        "kind": "crontab",
        "crontab": "*/5 * * * *",
        "timezone": "Europe/Paris",
    }

    @classmethod
    @override
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        reference = super().__get_pydantic_json_schema__(core_schema, handler)
        schema = handler.resolve_ref_schema(reference)
        if "kind" in schema.get("required", ()):
            split_by_kind(schema, cls.__name__)
        return reference


class SchedulePreview(ScheduleCreate):
    """A schedule whose next runs are computed without storing it."""

    name: Name = "preview"
    """Is ignored."""
    task: TaskName = "preview"
    """Is ignored."""
    count: Annotated[int, Field(ge=1, le=100)] = 10
    """How many runs to compute."""


class ScheduleUpdate(ScheduleCreate):
    """A partial update of a schedule; the result is validated as a whole, and no defaults are applied."""

    name: Name = OMITTED
    """Names the schedule; each has a different name."""
    task: TaskName = OMITTED
    """Name of a registered task."""
    kind: ScheduleKind = OMITTED
    """How its times are defined."""


class SchedulePause(BaseRequest):
    """Why a schedule is paused."""

    reason: Annotated[SafeStr, Field(min_length=1, max_length=500)]
    """For those who see the schedule, or the audit log."""

    EXAMPLE: ClassVar = {"reason": "The supplier's server is down until Monday."}


class ScheduleQuery(PageQuery):
    """Filters of the schedule list."""

    sort: Annotated[SafeStr, SortBy("create_time", "name", "next_run_at", "last_run_at")] = ""
    keyword: Annotated[SafeStr, SearchIn("name", "description")] = ""
    task: Annotated[SafeStr, Field(max_length=255, examples=["system.ping"])] | None = None
    """Only schedules of this task."""
    kind: ScheduleKind | None = None
    """Only schedules of this kind."""
    enabled: bool | None = None
    """Only enabled or only disabled schedules."""
    origin: ScheduleOrigin | None = None
    """Only schedules of users, or only those that are defined in the code."""


class ScheduleDeleted(BaseSchema):
    """A schedule that was deleted."""

    id: UUID
    """The schedule's id."""


class ScheduleResponse(BaseResponse):
    """A schedule, with its last and next run."""

    name: str
    """Names the schedule; each has a different name."""
    description: str
    """What it is for."""
    origin: ScheduleOrigin
    """`config`: defined in the code, and can only be enabled or disabled."""
    enabled: bool
    """Whether it sends its task."""
    pause_reason: str | None
    """Why it was paused; null if it is enabled, or was disabled without a reason."""
    paused_by: UUID | None
    """The user who paused it; null if beat did, because it cannot or may not run."""
    task: str
    """Name of the task."""
    args: list[Any]
    """Positional arguments of the task."""
    kwargs: dict[str, Any]
    """Named arguments of the task."""
    kind: ScheduleKind
    """How its times are defined."""
    every: int | None
    """Length of the interval, in units of `period`."""
    period: IntervalPeriod | None
    """The unit of `every`."""
    crontab: str | None
    """Minute, hour, day of the month, month and day of the week."""
    timezone: str
    """IANA time zone of the crontab."""
    event: SolarEvent | None
    """The event of the sun."""
    latitude: float | None
    """Degrees, positive in the north."""
    longitude: float | None
    """Degrees, positive in the east."""
    clocked_time: datetime | None
    """The time of the only run."""
    queue: str | None
    """The queue to send the task to; null for the task's own."""
    priority: int | None
    """Priority of the message; null for the task's own."""
    headers: dict[str, Any]
    """Further headers of the message."""
    expires_seconds: float | None
    """A run that no worker has started after so many seconds is dropped."""
    start_time: datetime | None
    """No run is sent before."""
    end_time: datetime | None
    """No run is sent after."""
    max_runs: int | None
    """The schedule ends after so many runs."""
    jitter_seconds: float
    """Each run is delayed by a random time up to this."""
    misfire_policy: MisfirePolicy
    """What to do with runs missed while no scheduler was running."""
    overlap_policy: OverlapPolicy
    """What to do when a run is due and the previous one has not finished."""
    created_by: UUID | None
    """The user who created it."""
    updated_by: UUID | None
    """The user who last changed it."""
    last_run_at: datetime | None
    """When it last sent its task."""
    next_run_at: datetime | None = Field(validation_alias=AliasChoices("upcoming", "nextRunAt", "next_run_at"))
    """When it will next send its task."""
    total_run_count: int
    """How many times it has sent its task."""

    EXAMPLE: ClassVar = {
        **ScheduleCreate.EXAMPLE,
        "description": "",
        "origin": "user",
        "jitterSeconds": 0,
        "misfirePolicy": "run_once",
        "overlapPolicy": "allow",
        "totalRunCount": 42,
    }
