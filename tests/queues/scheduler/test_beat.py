"""Two beats on one table: each slot is sent once, and beats sleep in between."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from redis import Redis
from sqlalchemy import text
from sqlmodel import delete, update
from sqlmodel.ext.asyncio.session import AsyncSession

from src.core.config import settings
from src.core.ops.report import PROCESSES, ProcessReport
from src.core.stores.sql import create_engine
from src.models.schedule import MisfirePolicy, OverlapPolicy, Schedule, ScheduleKind
from src.models.task_run import RunState, TaskRun
from src.queues.scheduler.listener import ScheduleListener
from tests.queues.conftest import BEAT, CeleryProcess, Run, free_port, running
from tests.queues.schedules import Queue, empty_table, store
from tests.support.metrics import Scraped
from tests.support.waiting import PATIENCE_SECONDS, eventually, wait_until

pytestmark = pytest.mark.worker
TICK = "beat_last_tick_timestamp_seconds"


@pytest.fixture(scope="module")
def beats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[CeleryProcess]]:
    with running(tmp_path_factory.mktemp("beats")) as run:
        beats = []
        for port in (free_port(), free_port()):
            beats.append(run(*BEAT, OPS_REPORT_SECONDS="0.2", WORKER_METRICS_PORT=str(port)))
            beats[-1].metrics = Scraped(f"http://127.0.0.1:{port}/metrics")
        for beat in beats:
            beat.wait_for("Waking up")
        yield beats
        assert [beat.stop() for beat in beats] == [0, 0]
        assert reports(beats) == []


def reports(beats: list[CeleryProcess]) -> list[ProcessReport]:
    """What these beats have reported of themselves."""
    values: Any = Redis.from_url(settings.REDIS_DATABASE_URL).hvals(PROCESSES)
    found = [ProcessReport.model_validate_json(value) for value in values]
    return [report for report in found if report.pid in {beat.psutil.pid for beat in beats}]


@pytest.fixture
async def session(beats: list[CeleryProcess]) -> AsyncIterator[AsyncSession]:
    async with empty_table() as session:
        yield session


class TestReports:
    async def test_show_when_each_beat_last_looked(self, beats: list[CeleryProcess]) -> None:
        wait_until(lambda: len(reports(beats)) == 2)
        first = reports(beats)
        assert {report.kind for report in first} == {"beat"}
        seen = max(report.seen_at for report in first)
        wait_until(lambda: all(report.seen_at > seen for report in reports(beats)))


class TestMetrics:
    async def test_show_what_was_sent_how_late_and_when_beat_looked(
        self, beats: list[CeleryProcess], session: AsyncSession
    ) -> None:
        queue = Queue()
        before = [beat.metrics.read() for beat in beats]
        await store(session, queue.every_second())
        wait_until(lambda: len(queue) >= 2)

        def added(name: str, **labels: str) -> float:
            both = zip(beats, before, strict=True)
            return sum(beat.metrics.change(name, old, **labels) for beat, old in both)

        wait_until(lambda: added("schedule_lag_seconds_count") >= 2)
        assert added("tasks_total", task="sample.add", state="sent") >= 2
        assert added("schedule_lag_seconds_sum") < 1000
        assert all(abs(time.time() - beat.metrics.value(TICK)) < 1000 for beat in beats)


class TestEditingWithSql:
    async def test_a_changed_interval_counts_at_once(self, session: AsyncSession) -> None:
        queue = Queue()
        schedule = queue.every_second(every=3600)
        await store(session, schedule)
        await self.wait_until_planned(session, schedule)
        await session.exec(text("UPDATE schedules SET every = 1"))  # type: ignore[call-overload]  # SQL text
        await session.commit()
        wait_until(lambda: len(queue))

    async def test_an_enabled_row_waits_for_its_next_slot(self, session: AsyncSession) -> None:
        queue = Queue()
        schedule = queue.every_second(every=3600, enabled=False, next_run_at=datetime.now(UTC) - timedelta(minutes=1))
        await store(session, schedule)
        await session.exec(text("UPDATE schedules SET enabled = true"))  # type: ignore[call-overload]  # SQL text
        await session.commit()
        await self.wait_until_planned(session, schedule)
        assert len(queue) == 0

    async def wait_until_planned(self, session: AsyncSession, schedule: Schedule) -> None:
        async def is_planned() -> bool:
            await session.refresh(schedule)
            await session.commit()
            return schedule.next_run_at is not None and schedule.next_run_at > datetime.now(UTC)

        await eventually(is_planned)


class TestSending:
    async def test_an_interval_keeps_its_slots(self, session: AsyncSession) -> None:
        queue = Queue()
        schedule = queue.every_second(max_runs=3)
        await store(session, schedule)
        wait_until(lambda: len(queue) == 3)
        slots = [datetime.fromisoformat(headers["scheduled_for"]) for headers in queue.headers()]
        assert {(slot - schedule.create_time) % timedelta(seconds=1) for slot in slots} == {timedelta(0)}

    async def test_arguments_arrive(self, session: AsyncSession) -> None:
        queue = Queue()
        await store(session, queue.every_second())
        wait_until(lambda: len(queue))
        assert queue.arguments()[0] == [[1], {"y": 2}]

    async def test_runs_are_counted(self, session: AsyncSession) -> None:
        queue = Queue()
        schedule = queue.every_second(max_runs=2)
        await store(session, schedule)
        wait_until(lambda: len(queue) == 2)

        async def counted() -> bool:  # committed just after the message is out
            await session.refresh(schedule)
            return schedule.total_run_count == 2

        await eventually(counted)
        assert not schedule.enabled
        assert schedule.last_run_at is not None

    async def test_a_one_off_is_sent_once(self, session: AsyncSession) -> None:
        queue, clock = Queue(), Queue()
        at = datetime.now(UTC) - timedelta(seconds=1)
        once = queue.every_second(kind=ScheduleKind.CLOCKED, clocked_time=at)
        await store(session, once, clock.every_second())
        wait_until(lambda: len(clock) >= 2)
        assert len(queue) == 1
        await session.refresh(once)
        assert (once.enabled, once.next_run_at) == (False, None)

    async def test_an_invalid_row_is_disabled_and_blocks_no_others(self, session: AsyncSession) -> None:
        queue = Queue()
        bad = queue.every_second(kind=ScheduleKind.CRONTAB, crontab="61 * * * *")
        await store(session, bad, queue.every_second())
        wait_until(lambda: len(queue))
        await session.refresh(bad)
        assert bad.enabled is False


class TestTwoBeats:
    async def test_no_slot_is_sent_twice(self, session: AsyncSession) -> None:
        queue = Queue()
        await store(session, *(queue.every_second(max_runs=3) for _ in range(40)))
        wait_until(lambda: len(queue) >= 120)
        assert len({headers["id"] for headers in queue.headers()}) == len(queue) == 120

    async def test_the_other_beat_takes_over_from_a_killed_one(self, session: AsyncSession, run: Run) -> None:
        queue = Queue()
        third = run(*BEAT)
        third.wait_for("Waking up")
        many = (queue.every_second(max_runs=4, misfire_policy=MisfirePolicy.CATCH_UP) for _ in range(20))
        await store(session, *many)
        wait_until(lambda: len(queue) >= 20)
        third.kill()
        # A kill between publishing and committing may repeat slots, under the same ids.
        wait_until(lambda: len(Counter(headers["id"] for headers in queue.headers())) == 80)


class TestOverlap:
    """No worker takes the runs, so that they stay unfinished in the run history."""

    @pytest.fixture(autouse=True)
    async def _no_runs(self, session: AsyncSession) -> AsyncIterator[None]:
        yield
        await session.exec(delete(TaskRun))
        await session.commit()

    async def sent_while_one_is_running(self, session: AsyncSession, policy: OverlapPolicy) -> Queue:
        queue, clock = Queue(), Queue()
        await store(session, queue.every_second(overlap_policy=policy), clock.every_second())
        await eventually(lambda: len(clock) >= 3)
        return queue

    async def test_allow_sends_runs_that_overlap(self, session: AsyncSession) -> None:
        assert len(await self.sent_while_one_is_running(session, OverlapPolicy.ALLOW)) >= 2

    @pytest.mark.parametrize("policy", [OverlapPolicy.SKIP, OverlapPolicy.QUEUE])
    async def test_a_run_is_not_sent_while_another_is_running(
        self, session: AsyncSession, policy: OverlapPolicy
    ) -> None:
        assert len(await self.sent_while_one_is_running(session, policy)) == 1

    @pytest.mark.parametrize("policy", [OverlapPolicy.SKIP, OverlapPolicy.QUEUE])
    async def test_the_next_run_is_sent_when_it_has_finished(
        self, session: AsyncSession, policy: OverlapPolicy
    ) -> None:
        queue = await self.sent_while_one_is_running(session, policy)
        await session.exec(update(TaskRun).values(state=RunState.SUCCESS))
        await session.commit()
        await eventually(lambda: len(queue) == 2)


class TestListener:
    @pytest.fixture
    async def listener(self) -> AsyncIterator[ScheduleListener]:
        engine = create_engine(settings.sql)
        listener = await ScheduleListener.open(engine)
        yield listener
        await listener.close()
        await engine.dispose()

    @pytest.fixture
    async def quiet(self) -> AsyncIterator[AsyncSession]:
        """A session without beats, so that only the test changes rows."""
        async with empty_table() as session:
            yield session

    async def test_a_new_row_is_notified(self, quiet: AsyncSession, listener: ScheduleListener) -> None:
        await store(quiet, Queue().every_second())
        async with asyncio.timeout(PATIENCE_SECONDS):
            await listener.wait(10 * PATIENCE_SECONDS)

    async def test_a_lost_connection_is_noticed(self, quiet: AsyncSession, listener: ScheduleListener) -> None:
        listeners = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
        await (await quiet.connection()).execute(text(listeners))
        async with asyncio.timeout(PATIENCE_SECONDS):
            await listener.wait(10 * PATIENCE_SECONDS)
        assert listener.is_lost


class TestCosts:
    async def test_beat_sleeps_until_something_is_due(self, session: AsyncSession, beats: list[CeleryProcess]) -> None:
        later = datetime.now(UTC) + timedelta(days=1)
        await store(session, *(Queue().every_second(start_time=later) for _ in range(200)))
        # Once both beats have planned the new rows.
        assert any(beats[0].idle_share(4) < 0.03 for _ in range(3))
