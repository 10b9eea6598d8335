"""Merges the `beat_schedule` of the configuration into the table `schedules`."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from celery.beat import ScheduleEntry
from celery.exceptions import ImproperlyConfigured
from celery.schedules import BaseSchedule, crontab, schedule, solar
from celery.utils.log import get_logger
from sqlalchemy import bindparam, func
from sqlmodel import col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from src.core.stores.sql import AdvisoryLock
from src.models.schedule import IntervalPeriod, Schedule, ScheduleKind, ScheduleOrigin
from src.utils.date import utc_now

logger = get_logger(__name__)

SECOND = timedelta(seconds=1)
# A literal in the statement, so that PostgreSQL can use the partial index on these rows.
CONFIG: Any = bindparam("config", ScheduleOrigin.CONFIG.value, literal_execute=True)
FIELDS = ("minute", 60), ("hour", 24), ("day_of_month", 31), ("month_of_year", 12), ("day_of_week", 7)
OPTIONS = {"queue": "queue", "priority": "priority", "headers": "headers", "expires": "expires_seconds"}

# Columns that an entry leaves out, so that what is removed from the configuration leaves the row as well.
DEFAULTS: dict[str, Any] = {
    **dict.fromkeys(("queue", "priority", "expires_seconds")),
    **dict.fromkeys(("every", "period", "crontab", "event", "latitude", "longitude", "clocked_time")),
    "headers": {},
    "timezone": "UTC",
}


async def merge(session: AsyncSession, entries: Mapping[str, ScheduleEntry], timezone: str) -> None:
    """Insert, update and delete the rows of origin `config` so that they match the configuration.

    Rows keep their run count, last run and `enabled`. An entry whose name a user's schedule has is skipped.

    Raises:
        ImproperlyConfigured: A row cannot hold an entry.
    """
    configured = columns_by_name(entries, timezone)
    await session.exec(select(func.pg_advisory_xact_lock(AdvisoryLock.SCHEDULES_OF_CONFIG)))
    known = or_(Schedule.origin == CONFIG, col(Schedule.name).in_(entries))
    rows = {row.name: row for row in (await session.exec(select(Schedule).where(known))).all()}
    now = utc_now()  # intervals count from the same time, so those of equal length are due in the same tick
    for name, values in configured.items():
        row = rows.get(name)
        if row is None:
            session.add(Schedule(name=name, origin=ScheduleOrigin.CONFIG, create_time=now, **values))
        elif row.origin != ScheduleOrigin.CONFIG:
            logger.error("beat: skipping entry %r of beat_schedule: a user's schedule has this name", name)
        elif changed := {column: value for column, value in values.items() if getattr(row, column) != value}:
            row.sqlmodel_update({**changed, "next_run_at": None})
    for name, row in rows.items():
        if row.origin == ScheduleOrigin.CONFIG and name not in entries:
            await session.delete(row)


def columns_by_name(entries: Mapping[str, ScheduleEntry], timezone: str) -> dict[str, dict[str, Any]]:
    """The columns of each entry's row.

    Raises:
        ImproperlyConfigured: A row cannot hold an entry.
    """
    columns = {}
    for name, entry in entries.items():
        try:
            columns[name] = _columns(entry, timezone)
        except (TypeError, ValueError) as error:
            raise ImproperlyConfigured(f"beat_schedule: entry {name!r} cannot be scheduled: {error}") from error
    return columns


def _columns(entry: ScheduleEntry, timezone: str) -> dict[str, Any]:
    options = {name: value for name, value in (entry.options or {}).items() if value is not None}
    if unknown := set(options) - set(OPTIONS):
        raise ValueError(f"unsupported options: {', '.join(sorted(unknown))}")
    if not isinstance(options.get("expires", 0), int | float):
        raise ValueError("the option expires must be a number of seconds")
    arguments = {"args": list(entry.args or ()), "kwargs": dict(entry.kwargs or {})}
    json.dumps([arguments, options.get("headers")])  # raises TypeError for what the table cannot store
    return {
        **DEFAULTS,
        "task": entry.task,
        **arguments,
        **{OPTIONS[name]: value for name, value in options.items()},
        **_timing(entry.schedule, timezone),
    }


def _timing(rule: BaseSchedule | None, timezone: str) -> dict[str, Any]:
    match rule:
        case crontab():
            expression = " ".join(_field(getattr(rule, name), size) for name, size in FIELDS)
            return {"kind": ScheduleKind.CRONTAB, "crontab": expression, "timezone": timezone}
        case solar():
            return {"kind": ScheduleKind.SOLAR, "event": rule.event, "latitude": rule.lat, "longitude": rule.lon}
        case schedule(run_every=timedelta() as every) if every >= SECOND and not every.microseconds:  # type: ignore[misc]  # missing from the stubs
            return {"kind": ScheduleKind.INTERVAL, "every": every // SECOND, "period": IntervalPeriod.SECONDS}
    raise ValueError(f"{rule!r} is neither a crontab, a solar event nor an interval of whole seconds")


def _field(numbers: set[int], size: int) -> str:
    return "*" if len(numbers) == size else ",".join(map(str, sorted(numbers)))
