from datetime import datetime
from math import isfinite
from typing import Annotated, Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, AliasChoices, Field, GetJsonSchemaHandler, StrictBool
from pydantic_core import CoreSchema
from typing_extensions import override

from src.core.tasks.headers import is_reserved
from src.models.schedule import IntervalPeriod, MisfirePolicy, OverlapPolicy, ScheduleKind, ScheduleOrigin
from src.schemas.base import BaseRequest, SafeStr, UtcDatetime
from src.schemas.list_params import PageQuery, SearchIn, SortBy
from src.schemas.response import BaseResponse
from src.utils.crontab import Crontab
from src.utils.solar import SolarEvent
from src.utils.text import is_storable

UTC_ZONE = ZoneInfo("UTC")
MAXIMUM_DEPTH = 32
# Prefixes of Celery's own Redis keys.
RESERVED_PREFIXES = "unacked", "celery-task", "_"
# The default of fields that an update may omit; none of them accepts null.
OMITTED: Any = None


def _is_crontab(value: str) -> str:
    Crontab.parse(value, UTC_ZONE)
    return value


def _is_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, OSError, ValueError) as error:
        raise ValueError("unknown time zone") from error
    return value


def _is_storable(value: Any, depth: int = 0) -> Any:
    if depth > MAXIMUM_DEPTH:
        raise ValueError(f"is nested more than {MAXIMUM_DEPTH} levels deep")
    match value:
        case str() if not is_storable(value):
            raise ValueError("must not contain NUL or lone surrogates")
        case float() if not isfinite(value):
            raise ValueError("numbers must be finite")
        case list():
            for item in value:
                _is_storable(item, depth + 1)
        case dict():
            for name, item in value.items():
                _is_storable(name)
                _is_storable(item, depth + 1)
    return value


def _is_queue(value: str) -> str:
    # A queue is a Redis key.
    if value.startswith(RESERVED_PREFIXES):
        raise ValueError("this name is reserved for the broker")
    return value


def _is_unreserved(headers: dict[str, Any]) -> dict[str, Any]:
    if reserved := sorted(filter(is_reserved, headers)):
        raise ValueError(f"reserved headers: {', '.join(reserved)}")
    return headers


Name = Annotated[SafeStr, Field(min_length=1, max_length=200)]
TaskName = Annotated[SafeStr, Field(min_length=1, max_length=255)]
Expression = Annotated[SafeStr, Field(max_length=500), AfterValidator(_is_crontab)]
Zone = Annotated[SafeStr, Field(min_length=1, max_length=64), AfterValidator(_is_zone)]
QueueName = Annotated[str, Field(max_length=255, pattern=r"^[A-Za-z0-9_.:-]+$"), AfterValidator(_is_queue)]
# JSON that Celery's serializer and PostgreSQL accept.
Arguments = Annotated[list[Any], Field(max_length=100), AfterValidator(_is_storable)]
NamedArguments = Annotated[dict[str, Any], Field(max_length=100), AfterValidator(_is_storable)]
Headers = Annotated[NamedArguments, AfterValidator(_is_unreserved)]
Every = Annotated[int, Field(ge=1, le=2**31 - 1)]
# Workers hold a delayed run until its time, which must be well within the broker's visibility timeout.
MAXIMUM_JITTER_SECONDS = 900


# The fields that define the times of each kind; those that have a default may be omitted.
TIMING = {
    ScheduleKind.INTERVAL: ("every", "period"),
    ScheduleKind.CRONTAB: ("crontab", "timezone"),
    ScheduleKind.SOLAR: ("event", "latitude", "longitude"),
    ScheduleKind.CLOCKED: ("clockedTime",),
}


class ScheduleCreate(BaseRequest):
    """A task that is sent periodically; each `kind` requires its own timing fields.

    `interval`: `every`, `period`. `crontab`: `crontab`, `timezone`. `solar`: `event`, `latitude`, `longitude`.
    `clocked`: `clockedTime`.
    """

    name: Name
    description: Annotated[SafeStr, Field(max_length=2000)] = ""
    enabled: StrictBool = True
    task: TaskName
    args: Arguments = Field(default_factory=list)
    kwargs: NamedArguments = Field(default_factory=dict)
    kind: ScheduleKind
    every: Every | None = None
    period: IntervalPeriod | None = None
    crontab: Expression | None = Field(None, description="minute hour day-of-month month day-of-week")
    timezone: Zone = Field("UTC", description="IANA time zone of the crontab.")
    event: SolarEvent | None = None
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None
    clocked_time: UtcDatetime | None = None
    queue: QueueName | None = None
    priority: Annotated[int, Field(ge=0, le=9)] | None = None
    headers: Headers = Field(default_factory=dict)
    expires_seconds: Annotated[float, Field(gt=0, le=366 * 24 * 3600)] | None = None
    start_time: UtcDatetime | None = None
    end_time: UtcDatetime | None = None
    max_runs: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    jitter_seconds: Annotated[float, Field(ge=0, le=MAXIMUM_JITTER_SECONDS)] = 0
    misfire_policy: MisfirePolicy = MisfirePolicy.RUN_ONCE
    overlap_policy: OverlapPolicy = OverlapPolicy.ALLOW

    @classmethod
    @override
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        reference = super().__get_pydantic_json_schema__(core_schema, handler)
        schema = handler.resolve_ref_schema(reference)
        if "kind" in schema.get("required", ()):
            properties, required = schema.pop("properties"), schema.pop("required")
            extra, type_ = schema.pop("additionalProperties"), schema.pop("type")
            schema["oneOf"] = [
                {
                    "title": f"{kind.value.title()}{cls.__name__}",
                    "type": type_,
                    **_of_kind(kind, properties, required),
                    "additionalProperties": extra,
                }
                for kind in ScheduleKind
            ]
        return reference


def _of_kind(kind: ScheduleKind, properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    """The properties of a schedule of one kind, and the required ones."""
    others = {name for names in TIMING.values() for name in names} - {*TIMING[kind]}
    own = {name: schema for name, schema in properties.items() if name not in others}
    own["kind"] = {"type": "string", "const": kind.value, "title": "Kind"}
    nullable = {name: own[name]["anyOf"][0] for name in TIMING[kind] if "anyOf" in own[name]}
    return {"properties": {**own, **nullable}, "required": [*required, *nullable]}


class SchedulePreview(ScheduleCreate):
    """A schedule whose next runs are computed without storing it."""

    name: Name = "preview"
    task: TaskName = "preview"
    count: Annotated[int, Field(ge=1, le=100)] = 10


class ScheduleUpdate(ScheduleCreate):
    """A partial update of a schedule; the result is validated as a whole, and no defaults are applied."""

    name: Name = OMITTED
    task: TaskName = OMITTED
    kind: ScheduleKind = OMITTED


class ScheduleQuery(PageQuery):
    """Filters of the schedule list."""

    sort: Annotated[SafeStr, SortBy("create_time", "name", "next_run_at", "last_run_at")] = ""
    keyword: Annotated[SafeStr, SearchIn("name", "description")] = ""
    task: Annotated[SafeStr, Field(max_length=255)] | None = None
    kind: ScheduleKind | None = None
    enabled: bool | None = None
    origin: ScheduleOrigin | None = None


class ScheduleResponse(BaseResponse):
    """A schedule, with its last and next run."""

    name: str
    description: str
    origin: ScheduleOrigin = Field(description="`config`: defined in the code, and can only be enabled or disabled.")
    enabled: bool
    pause_reason: str | None = Field(description="Why beat disabled it; null if a user did.")
    task: str
    args: list[Any]
    kwargs: dict[str, Any]
    kind: ScheduleKind
    every: int | None
    period: IntervalPeriod | None
    crontab: str | None
    timezone: str
    event: SolarEvent | None
    latitude: float | None
    longitude: float | None
    clocked_time: datetime | None
    queue: str | None
    priority: int | None
    headers: dict[str, Any]
    expires_seconds: float | None
    start_time: datetime | None
    end_time: datetime | None
    max_runs: int | None
    jitter_seconds: float
    misfire_policy: MisfirePolicy
    overlap_policy: OverlapPolicy
    created_by: UUID | None
    updated_by: UUID | None
    last_run_at: datetime | None
    next_run_at: datetime | None = Field(validation_alias=AliasChoices("upcoming", "nextRunAt", "next_run_at"))
    total_run_count: int
