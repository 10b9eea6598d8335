"""Imports the periodic tasks of django-celery-beat: `python -m scripts.import_beat beat.json`.

`beat.json` is what `manage.py dumpdata django_celery_beat` writes. Rows that have no equivalent are named and left out.
"""

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from src.core.unit_of_work import UnitOfWork
from src.crud.schedule import ScheduleCRUD
from src.manage.stores import open_stores, run
from src.models.schedule import ScheduleKind
from src.schemas.schedule import ScheduleCreate

Rows = Mapping[tuple[str, Any], Mapping[str, Any]]
SECONDS = {"days": 86_400, "hours": 3_600, "minutes": 60, "seconds": 1}
CRON_FIELDS = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")


class UnsupportedError(ValueError):
    """The row has no equivalent here."""


def index(dump: Iterable[Mapping[str, Any]]) -> Rows:
    """The rows of a dump by model and key."""
    return {(row["model"].rpartition(".")[2], row["pk"]): row["fields"] for row in dump}


def timing(task: Mapping[str, Any], rows: Rows) -> dict[str, Any]:
    """The fields of a schedule's kind.

    Raises:
        UnsupportedError: The kind has no equivalent.
    """
    if task.get("interval") is not None:
        interval = rows["intervalschedule", task["interval"]]
        if interval["period"] not in SECONDS:
            raise UnsupportedError("intervals below a second")
        return {"kind": ScheduleKind.INTERVAL, "every": interval["every"], "period": interval["period"]}
    if task.get("crontab") is not None:
        crontab = rows["crontabschedule", task["crontab"]]
        expression = " ".join(str(crontab[name]).replace(" ", "") for name in CRON_FIELDS)
        return {"kind": ScheduleKind.CRONTAB, "crontab": expression, "timezone": crontab.get("timezone") or "UTC"}
    if task.get("solar") is not None:
        solar = rows["solarschedule", task["solar"]]
        place = {name: float(solar[name]) for name in ("latitude", "longitude")}
        return {"kind": ScheduleKind.SOLAR, "event": solar["event"], **place}
    if task.get("clocked") is not None:
        return {"kind": ScheduleKind.CLOCKED, "clocked_time": rows["clockedschedule", task["clocked"]]["clocked_time"]}
    raise UnsupportedError("no timing")


def convert(task: Mapping[str, Any], rows: Rows) -> ScheduleCreate:
    """A periodic task as a schedule of ours.

    Raises:
        UnsupportedError: It has no equivalent.
        ValidationError: A field is invalid here.
    """
    if task.get("exchange") or task.get("routing_key"):
        raise UnsupportedError("an exchange or routing key")
    fields: dict[str, Any] = {
        "name": task["name"],
        "task": task["task"],
        "description": task.get("description") or "",
        "enabled": task.get("enabled", True),
        **{
            name: json.loads(task.get(name) or empty)
            for name, empty in (("args", "[]"), ("kwargs", "{}"), ("headers", "{}"))
        },
        "queue": task.get("queue") or None,
        "priority": task.get("priority"),
        "start_time": task.get("start_time"),
        "end_time": task.get("expires"),
        "expires_seconds": task.get("expire_seconds"),
        "max_runs": 1 if task.get("one_off") else None,
        **timing(task, rows),
    }
    return ScheduleCreate.model_validate({name: value for name, value in fields.items() if value is not None})


async def import_tasks(uow: UnitOfWork, dump: Iterable[Mapping[str, Any]]) -> list[str]:
    """Create the schedules; returns a line for each periodic task."""
    rows, schedules, told = index(dump), ScheduleCRUD(uow.session), []
    for (model, _), task in rows.items():
        if model != "periodictask" or task["task"].startswith("celery."):
            continue  # Celery's own cleaning of results, which Redis does here
        try:
            schedule = convert(task, rows)
        except UnsupportedError as error:
            told.append(f"LEFT OUT {task['name']}: {error} cannot be expressed here")
        except ValidationError as error:
            reasons = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
            told.append(f"LEFT OUT {task['name']}: {reasons}")
        else:
            if await schedules.exists({"name": schedule.name}):
                told.append(f"exists   {schedule.name}")
            else:
                await schedules.create(schedule)
                told.append(f"imported {schedule.name}")
    return told


async def import_into_settings(dump: Iterable[Mapping[str, Any]]) -> list[str]:
    """Import a dump into the database that the settings name."""
    async with open_stores() as resources, resources.unit_of_work() as uow:
        return await import_tasks(uow, dump)


if __name__ == "__main__":
    print(*run(import_into_settings(json.loads(Path(sys.argv[1]).read_text()))), sep="\n")
