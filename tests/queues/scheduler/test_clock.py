"""No slot is sent twice when the clock is set back."""

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from src.models.schedule import MisfirePolicy, Schedule, ScheduleKind
from src.queues.app import app
from src.queues.scheduler import AsyncDatabaseScheduler, database_scheduler
from src.utils.date import utc_now
from tests.queues.schedules import Queue, empty_table, store


class Clock:
    """A clock that can be set forward and back."""

    offset = timedelta(0)

    def __call__(self) -> datetime:
        return utc_now() + self.offset


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(database_scheduler, "utc_now", clock)
    return clock


@pytest.fixture
def beat() -> Iterator[AsyncDatabaseScheduler]:
    beat = AsyncDatabaseScheduler(app)
    beat.max_interval = 0
    yield beat
    beat.close()


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.mark.parametrize("replanned", [False, True])
@pytest.mark.parametrize("policy", list(MisfirePolicy))
def test_nothing_is_sent_twice(
    clock: Clock, beat: AsyncDatabaseScheduler, runner: asyncio.Runner, policy: MisfirePolicy, *, replanned: bool
) -> None:
    queue = Queue()
    table = empty_table()
    session = runner.run(table.__aenter__())
    crontab = {"kind": ScheduleKind.CRONTAB, "crontab": "* * * * *", "period": None}
    schedules: list[Schedule] = [queue.every_second(misfire_policy=policy)]
    schedules.append(schedules[0].model_copy(update={"name": "minutely", **crontab}))
    schedules[1] = Schedule.model_validate(schedules[1].model_dump(exclude={"id"}))
    runner.run(store(session, *schedules))
    for minutes in range(4):
        clock.offset = timedelta(minutes=minutes)
        beat.tick()
        beat.tick()
    sent = len(queue)
    for minutes in (2, -60, 1, 3):
        clock.offset = timedelta(minutes=minutes) - timedelta(seconds=5)
        if replanned:
            for schedule in schedules:
                runner.run(session.refresh(schedule))
                schedule.next_run_at = None
            runner.run(session.commit())
        beat.tick()
        beat.tick()
    assert (sent > 3, len(queue)) == (True, sent)
    clock.offset = timedelta(minutes=3, seconds=50)
    beat.tick()
    beat.tick()
    ids = [headers["id"] for headers in queue.headers()]
    assert len(set(ids)) == len(ids) > sent
    runner.run(table.__aexit__(None, None, None))
