"""Planning and advancing one schedule."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from src.models.schedule import IntervalPeriod, MisfirePolicy, Schedule, ScheduleKind
from src.queues.scheduler.planning import CATCH_UP_LIMIT, advance, message, plan

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def every_minute(**columns: Any) -> Schedule:
    columns = {"next_run_at": NOW, "create_time": NOW - 60 * MINUTE, **columns}
    return Schedule(name="s", task="t", kind=ScheduleKind.INTERVAL, every=1, period=IntervalPeriod.MINUTES, **columns)


def once(at: datetime, **columns: Any) -> Schedule:
    return Schedule(name="s", task="t", kind=ScheduleKind.CLOCKED, clocked_time=at, **columns)


class TestPlanning:
    def test_a_new_interval_starts_after_one_period(self) -> None:
        schedule = every_minute(next_run_at=None, create_time=NOW)
        plan(schedule, NOW + timedelta(seconds=3))
        assert schedule.next_run_at == NOW + MINUTE

    def test_a_schedule_enabled_again_waits_for_its_slot(self) -> None:
        schedule = every_minute(next_run_at=None, last_run_at=NOW - 50 * MINUTE)
        plan(schedule, NOW + MINUTE / 2)
        assert schedule.next_run_at == NOW + MINUTE

    def test_the_start_is_the_first_slot(self) -> None:
        schedule = every_minute(next_run_at=None, start_time=NOW + timedelta(days=1))
        plan(schedule, NOW)
        assert schedule.next_run_at == NOW + timedelta(days=1)

    def test_a_schedule_past_its_end_is_disabled(self) -> None:
        schedule = every_minute(next_run_at=None, end_time=NOW)
        plan(schedule, NOW)
        assert (schedule.enabled, schedule.next_run_at) == (False, None)

    def test_a_one_off_that_beat_missed_runs_late(self) -> None:
        schedule = once(NOW - MINUTE)
        plan(schedule, NOW)
        assert schedule.next_run_at == NOW - MINUTE

    def test_a_one_off_that_ran_is_not_planned_again(self) -> None:
        schedule = once(NOW - MINUTE, last_run_at=NOW - MINUTE)
        plan(schedule, NOW)
        assert schedule.enabled is False

    def test_a_schedule_that_reached_max_runs_is_disabled(self) -> None:
        schedule = every_minute(next_run_at=None, total_run_count=3, max_runs=3)
        plan(schedule, NOW)
        assert (schedule.enabled, schedule.next_run_at) == (False, None)

    def test_a_slot_that_ran_before_the_clock_was_set_back_is_not_planned_again(self) -> None:
        schedule = every_minute(next_run_at=None, last_run_at=NOW + 10 * MINUTE)
        plan(schedule, NOW)
        assert schedule.next_run_at == NOW + 11 * MINUTE

    def test_an_interval_ends_with_the_calendar(self) -> None:
        schedule = every_minute(next_run_at=None, start_time=datetime.max.replace(tzinfo=UTC) - MINUTE / 2)
        assert schedule.next_run(datetime.max.replace(tzinfo=UTC) - MINUTE / 4) is None

    def test_inconsistent_columns_are_an_error(self) -> None:
        with pytest.raises(ValueError, match="lacks its timing"):
            plan(Schedule(name="s", task="t", kind=ScheduleKind.SOLAR), NOW)


class TestAdvancing:
    def test_a_late_tick_does_not_move_the_slots(self) -> None:
        schedule = every_minute()
        assert advance(schedule, NOW + timedelta(seconds=7)) == [NOW]
        assert schedule.next_run_at == NOW + MINUTE

    def test_the_run_is_counted(self) -> None:
        schedule = every_minute(total_run_count=2)
        advance(schedule, NOW)
        assert (schedule.total_run_count, schedule.last_run_at) == (3, NOW)

    def test_the_last_run_disables_the_schedule(self) -> None:
        schedule = every_minute(total_run_count=2, max_runs=3)
        assert advance(schedule, NOW) == [NOW]
        assert (schedule.enabled, schedule.next_run_at) == (False, None)

    def test_runs_beyond_max_runs_are_not_caught_up(self) -> None:
        schedule = every_minute(total_run_count=5, max_runs=3, misfire_policy=MisfirePolicy.CATCH_UP)
        assert advance(schedule, NOW + 5 * MINUTE) == []
        assert (schedule.enabled, schedule.total_run_count) == (False, 5)

    @pytest.mark.parametrize(("late", "slots"), [(4, [NOW]), (6, [])])
    def test_the_misfire_grace_is_configurable(self, late: int, slots: list[datetime]) -> None:
        schedule = every_minute(misfire_policy=MisfirePolicy.SKIP)
        assert advance(schedule, NOW + timedelta(seconds=late), grace=timedelta(seconds=5)) == slots

    @pytest.mark.parametrize(
        ("policy", "slots"),
        [
            (MisfirePolicy.SKIP, []),
            (MisfirePolicy.RUN_ONCE, [NOW]),
            (MisfirePolicy.CATCH_UP, [NOW + n * MINUTE for n in range(6)]),
        ],
    )
    def test_missed_runs_follow_the_policy(self, policy: MisfirePolicy, slots: list[datetime]) -> None:
        schedule = every_minute(misfire_policy=policy)
        assert advance(schedule, NOW + 5.5 * MINUTE) == slots
        assert schedule.next_run_at == NOW + 6 * MINUTE

    def test_catching_up_has_a_limit(self) -> None:
        schedule = every_minute(misfire_policy=MisfirePolicy.CATCH_UP)
        assert len(advance(schedule, NOW + timedelta(days=1))) == CATCH_UP_LIMIT

    def test_a_slot_is_not_sent_again_after_the_clock_was_set_back(self) -> None:
        schedule = every_minute()
        advance(schedule, NOW)
        following = schedule.next_run_at
        assert following is not None
        assert following > NOW


class TestMessages:
    def test_a_slot_always_has_the_same_id(self) -> None:
        schedule = every_minute()
        assert message(schedule, NOW)["task_id"] == message(schedule, NOW)["task_id"]

    def test_different_slots_have_different_ids(self) -> None:
        schedule = every_minute()
        assert message(schedule, NOW)["task_id"] != message(schedule, NOW + MINUTE)["task_id"]

    def test_the_options_of_the_row_are_sent(self) -> None:
        sent = message(every_minute(queue="q", priority=3, expires_seconds=9, headers={"a": "b"}), NOW)
        assert (sent["queue"], sent["priority"], sent["expires"], sent["headers"]["a"]) == ("q", 3, 9, "b")

    def test_reserved_headers_are_dropped(self) -> None:
        forged = dict.fromkeys(("id", "task", "requested_by", "queued_at", "schedule_id", "_protected"), "forged")
        schedule = every_minute(headers={**forged, "tenant": "x"})
        sent = message(schedule, NOW)["headers"]
        assert sent == {"tenant": "x", "schedule_id": str(schedule.id), "scheduled_for": NOW.isoformat()}

    def test_jitter_delays_the_expiry_as_well(self) -> None:
        sent = message(every_minute(jitter_seconds=600, expires_seconds=5), NOW)
        assert sent["expires"] == 5 + sent["countdown"]

    def test_jitter_is_bounded_and_repeatable(self) -> None:
        schedule = every_minute(jitter_seconds=10)
        delays = [message(schedule, NOW + n * MINUTE)["countdown"] for n in range(50)]
        assert all(0 <= delay < 10 for delay in delays)
        assert len(set(delays)) > 25
        assert message(schedule, NOW)["countdown"] == delays[0]
