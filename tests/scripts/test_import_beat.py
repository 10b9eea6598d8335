"""Periodic tasks of django-celery-beat, as `manage.py dumpdata` writes them, become schedules."""

import json
from typing import Any

import pytest

from scripts.import_beat import import_tasks
from src.core.unit_of_work import UnitOfWork
from src.crud.schedule import ScheduleCRUD
from src.models.schedule import Schedule

APP = "django_celery_beat"
TIMINGS: list[dict[str, Any]] = [
    {"model": f"{APP}.intervalschedule", "pk": 1, "fields": {"every": 10, "period": "minutes"}},
    {"model": f"{APP}.intervalschedule", "pk": 2, "fields": {"every": 5, "period": "microseconds"}},
    {
        "model": f"{APP}.crontabschedule",
        "pk": 1,
        "fields": {
            "minute": "30", "hour": "2", "day_of_week": "1, 3", "day_of_month": "*", "month_of_year": "*",
            "timezone": "Asia/Shanghai",
        },
    },
    {"model": f"{APP}.solarschedule", "pk": 1, "fields": {"event": "sunset", "latitude": "52.5", "longitude": "13.4"}},
    {"model": f"{APP}.clockedschedule", "pk": 1, "fields": {"clocked_time": "2100-01-01T00:00:00Z"}},
]  # fmt: skip
DEFAULTS: dict[str, Any] = {
    "task": "system.ping", "interval": None, "crontab": None, "solar": None, "clocked": None, "args": "[]",
    "kwargs": "{}", "queue": None, "exchange": None, "routing_key": None, "headers": "{}", "priority": None,
    "expires": None, "expire_seconds": None, "one_off": False, "start_time": None, "enabled": True,
    "last_run_at": "2026-01-01T00:00:00Z", "total_run_count": 7, "date_changed": "2026-01-01T00:00:00Z",
    "description": "",
}  # fmt: skip


def dump(**tasks: dict[str, Any]) -> list[dict[str, Any]]:
    rows = [
        {"model": f"{APP}.periodictask", "pk": number, "fields": {**DEFAULTS, "name": name, **fields}}
        for number, (name, fields) in enumerate(tasks.items())
    ]
    loaded: list[dict[str, Any]] = json.loads(json.dumps([*TIMINGS, *rows]))
    return loaded


async def imported(uow: UnitOfWork, **fields: Any) -> Schedule:
    assert await import_tasks(uow, dump(one=fields)) == ["imported one"]
    return (await ScheduleCRUD(uow.session).list({"name": "one"}))[0]


class TestAPeriodicTask:
    async def test_with_an_interval(self, uow: UnitOfWork) -> None:
        row = await imported(uow, interval=1, kwargs='{"a": 1}', args="[2]", queue="slow", priority=3)
        assert (row.kind, row.every, row.period) == ("interval", 10, "minutes")
        assert (row.args, row.kwargs, row.queue, row.priority) == ([2], {"a": 1}, "slow", 3)

    async def test_with_a_crontab_in_its_time_zone(self, uow: UnitOfWork) -> None:
        row = await imported(uow, crontab=1, expire_seconds=60)
        assert (row.crontab, row.timezone, row.expires_seconds) == ("30 2 * * 1,3", "Asia/Shanghai", 60)

    async def test_by_the_sun(self, uow: UnitOfWork) -> None:
        row = await imported(uow, solar=1, enabled=False)
        assert (row.event, row.latitude, row.longitude, row.enabled) == ("sunset", 52.5, 13.4, False)

    async def test_that_runs_once(self, uow: UnitOfWork) -> None:
        row = await imported(uow, clocked=1, one_off=True)
        assert (row.kind, row.max_runs, row.total_run_count) == ("clocked", 1, 0)
        assert row.clocked_time is not None
        assert row.clocked_time.year == 2100

    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            ({"interval": 2}, "intervals below a second"),
            ({"interval": 1, "exchange": "x"}, "an exchange or routing key"),
            ({}, "no timing"),
            ({"interval": 1, "priority": 1000}, "priority"),
        ],
    )
    async def test_without_an_equivalent_is_named(self, uow: UnitOfWork, fields: dict[str, Any], reason: str) -> None:
        told = await import_tasks(uow, dump(odd=fields, fine={"interval": 1}))
        assert told[0].startswith("LEFT OUT odd: ")
        assert reason in told[0]
        assert told[1:] == ["imported fine"]

    async def test_is_imported_once(self, uow: UnitOfWork) -> None:
        rows = dump(one={"interval": 1}, cleaning={"task": "celery.backend_cleanup", "crontab": 1})
        assert await import_tasks(uow, rows) == ["imported one"]
        assert await import_tasks(uow, rows) == ["exists   one"]
