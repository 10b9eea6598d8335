"""Decides what to send for a due schedule and when it runs next; needs neither database nor broker."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid5

from src.core.tasks.headers import free_headers
from src.models.schedule import MisfirePolicy, OverlapPolicy, Schedule, ScheduleKind

MISFIRE_GRACE = timedelta(seconds=60)
CATCH_UP_LIMIT = 100
LONG_AGO = datetime.min.replace(tzinfo=UTC)


def plan(schedule: Schedule, now: datetime) -> None:
    """Set the next run of a new, changed or re-enabled schedule; disable it if there is none.

    Raises:
        ValueError: Its columns are inconsistent.
    """
    schedule.pause_reason = schedule.paused_by = None
    # A one-off whose time passed before beat saw it still runs, late.
    is_late_one_off = schedule.kind == ScheduleKind.CLOCKED and schedule.last_run_at is None
    # A slot that ran before the clock was set back does not run again.
    after = LONG_AGO if is_late_one_off else max(now, schedule.last_run_at or LONG_AGO)
    schedule.next_run_at = None if schedule.is_exhausted else schedule.next_run(after)
    schedule.enabled = schedule.next_run_at is not None


def advance(
    schedule: Schedule, now: datetime, *, is_running: bool = False, grace: timedelta = MISFIRE_GRACE
) -> list[datetime]:
    """Advance a due schedule to its next run after `now`.

    Args:
        schedule: Changed in place.
        now: The current time.
        is_running: Whether a previous run is in progress that this one must not overlap.
        grace: How late a run may be before it counts as missed.

    Returns:
        The slots to send, oldest first; depending on the misfire policy none, one, or all missed ones.

    Raises:
        ValueError: Its columns are inconsistent.
    """
    slots = [] if is_running else _due_slots(schedule, now, grace)
    if schedule.max_runs is not None:
        slots = slots[: max(0, schedule.max_runs - schedule.total_run_count)]
    # With the overlap policy `queue`, missed slots are sent one at a time.
    handled_until = now
    if schedule.overlap_policy == OverlapPolicy.QUEUE and len(slots) > 1:
        handled_until, slots = slots[0], slots[:1]
    if slots:
        schedule.last_run_at = now
        schedule.total_run_count += len(slots)
    schedule.next_run_at = None if schedule.is_exhausted else schedule.next_run(handled_until)
    schedule.enabled = schedule.next_run_at is not None
    return slots


def _due_slots(schedule: Schedule, now: datetime, grace: timedelta) -> list[datetime]:
    slot = schedule.next_run_at
    if slot is None or (schedule.misfire_policy == MisfirePolicy.SKIP and now - slot > grace):
        return []
    slots = [slot]
    if schedule.misfire_policy == MisfirePolicy.CATCH_UP:
        while len(slots) < CATCH_UP_LIMIT and (slot := schedule.next_run(slots[-1])) and slot <= now:
            slots.append(slot)
    return slots


def message(schedule: Schedule, slot: datetime) -> dict[str, Any]:
    """Name, arguments and options of the task for one slot. The task id depends on schedule and slot only."""
    task_id = uuid5(schedule.id, slot.isoformat())
    options: dict[str, Any] = {
        "name": schedule.task,
        "args": schedule.args,
        "kwargs": schedule.kwargs,
        "task_id": str(task_id),
        "headers": {
            **free_headers(schedule.headers),
            "schedule_id": str(schedule.id),
            "scheduled_for": slot.isoformat(),
        },
        "queue": schedule.queue,
        "priority": schedule.priority,
        "expires": schedule.expires_seconds,
    }
    if schedule.jitter_seconds:
        # Derived from the task id, so that a slot sent twice has the same delay.
        options["countdown"] = countdown = schedule.jitter_seconds * (task_id.int % 1000) / 1000
        if schedule.expires_seconds is not None:
            options["expires"] = schedule.expires_seconds + countdown
    return {name: value for name, value in options.items() if value is not None}
