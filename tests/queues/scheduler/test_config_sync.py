"""Entries of `beat_schedule` are merged into the table."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from celery.beat import ScheduleEntry
from celery.exceptions import ImproperlyConfigured
from celery.schedules import crontab, solar
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from src.models.schedule import Schedule, ScheduleOrigin
from src.queues.app import app
from src.queues.scheduler.config_sync import columns_by_name, merge
from tests.queues.conftest import BEAT, Run
from tests.queues.schedules import Queue, empty_table, store
from tests.support.waiting import wait_until


@pytest.fixture
async def session() -> AsyncIterator[AsyncSession]:
    async with empty_table() as session:
        yield session


def entry(**options: Any) -> ScheduleEntry:
    return ScheduleEntry(name="configured", task="sample.add", app=app, **options)


class TestMerge:
    async def test_each_kind_of_entry_becomes_a_row(self, session: AsyncSession) -> None:
        entries = {
            "interval": entry(schedule=timedelta(minutes=5), args=(1,), kwargs={"y": 2}, options={"queue": "q"}),
            "crontab": entry(schedule=crontab(minute="*/15", hour="8-9", day_of_week="mon")),
            "solar": entry(schedule=solar("sunset", 60.2, 24.9)),
        }
        await merge(session, entries, "Europe/Helsinki")
        rows = {row.name: row for row in (await session.exec(select(Schedule))).all()}
        assert {row.origin for row in rows.values()} == {ScheduleOrigin.CONFIG}
        assert (rows["interval"].every, rows["interval"].period, rows["interval"].queue) == (300, "seconds", "q")
        assert (rows["crontab"].crontab, rows["crontab"].timezone) == ("0,15,30,45 8,9 * * 1", "Europe/Helsinki")
        assert (rows["solar"].event, rows["solar"].latitude) == ("sunset", 60.2)

    async def test_equal_intervals_have_equal_slots(self, session: AsyncSession) -> None:
        """So that beat wakes once for both."""
        await merge(session, {"one": entry(schedule=2), "other": entry(schedule=2)}, "UTC")
        await session.flush()
        one, other = (await session.exec(select(Schedule))).all()
        assert one.create_time == other.create_time

    async def test_merging_again_changes_nothing(self, session: AsyncSession) -> None:
        entries = {"interval": entry(schedule=10)}
        await merge(session, entries, "UTC")
        await session.flush()
        row = (await session.exec(select(Schedule))).one()
        row.next_run_at = row.create_time
        await merge(session, entries, "UTC")
        assert row.next_run_at == row.create_time

    async def test_a_changed_entry_is_planned_again(self, session: AsyncSession) -> None:
        await merge(session, {"interval": entry(schedule=10)}, "UTC")
        await session.flush()
        row = (await session.exec(select(Schedule))).one()
        row.sqlmodel_update({"next_run_at": row.create_time})
        await merge(session, {"interval": entry(schedule=20)}, "UTC")
        assert (row.every, row.next_run_at) == (20, None)

    async def test_the_row_of_a_removed_entry_is_deleted(self, session: AsyncSession) -> None:
        await store(session, Queue().every_second(name="a user's"))
        await merge(session, {"interval": entry(schedule=10)}, "UTC")
        await session.flush()
        await merge(session, {}, "UTC")
        await session.flush()
        assert (await session.exec(select(col(Schedule.name)))).all() == ["a user's"]

    async def test_a_users_schedule_keeps_its_name(self, session: AsyncSession) -> None:
        mine = Queue().every_second(name="same")
        await store(session, mine)
        await merge(session, {"same": entry(schedule=10)}, "UTC")
        assert (mine.origin, mine.every) == (ScheduleOrigin.USER, 1)

    async def test_options_that_an_entry_loses_leave_its_row(self, session: AsyncSession) -> None:
        options = {"queue": "q", "priority": 3, "headers": {"a": "b"}, "expires": 9}
        await merge(session, {"one": entry(schedule=10, options=options)}, "UTC")
        await session.flush()
        await merge(session, {"one": entry(schedule=10)}, "UTC")
        await session.flush()
        row = (await session.exec(select(Schedule))).one()
        assert (row.queue, row.priority, row.headers, row.expires_seconds) == (None, None, {}, None)

    async def test_another_kind_of_schedule_leaves_nothing_of_the_former(self, session: AsyncSession) -> None:
        await merge(session, {"one": entry(schedule=10)}, "UTC")
        await session.flush()
        await merge(session, {"one": entry(schedule=crontab())}, "Europe/Helsinki")
        await session.flush()
        await merge(session, {"one": entry(schedule=solar("sunset", 60.2, 24.9))}, "Europe/Helsinki")
        await session.flush()
        row = (await session.exec(select(Schedule))).one()
        assert (row.kind, row.every, row.period, row.crontab, row.timezone) == ("solar", None, None, None, "UTC")


class TestRefusing:
    @pytest.mark.parametrize(
        ("entries", "reason"),
        [
            ({"schedule": 0.5}, "interval of whole seconds"),
            ({"schedule": 10, "options": {"countdown": 5}}, "unsupported options: countdown"),
            ({"schedule": 10, "options": {"time_limit": 5, "link": "x"}}, "unsupported options: link, time_limit"),
            ({"schedule": 10, "options": {"expires": timedelta(seconds=5)}}, "expires must be a number"),
            ({"schedule": 10, "args": (timedelta(1),)}, "not JSON serializable"),
        ],
    )
    def test_what_a_row_cannot_hold(self, entries: dict[str, Any], reason: str) -> None:
        with pytest.raises(ImproperlyConfigured, match=f"entry 'bad' cannot be scheduled: .*{reason}"):
            columns_by_name({"bad": entry(**entries)}, "UTC")

    @pytest.mark.process
    def test_beat_does_not_start(self, run: Run) -> None:
        beat = run(*BEAT, SAMPLE_BAD_ENTRY="countdown")
        wait_until(lambda: beat.code is not None)
        assert beat.code != 0
        assert "entry 'bad' cannot be scheduled: unsupported options: countdown" in beat.output
