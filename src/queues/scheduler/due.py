"""What beat decides about a schedule that is due, apart from the database and the broker."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid5

from src.core.tasks.headers import free_headers
from src.models.schedule import MisfirePolicy, OverlapPolicy, Schedule, ScheduleKind

MISFIRE_GRACE = timedelta(seconds=60)
CATCH_UP_LIMIT = 100
LONG_AGO = datetime.min.replace(tzinfo=UTC)


def plan(schedule: Schedule, now: datetime) -> None:
    """Set the first run of a schedule that is new, changed or enabled again; switch it off if there is none.

    Raises:
        ValueError: Its columns make no rule.
    """
    # A one-off that passed before beat saw it is late, not void.
    waiting = schedule.kind == ScheduleKind.CLOCKED and schedule.last_run_at is None
    # What ran before the clock was set back does not run again.
    after = LONG_AGO if waiting else max(now, schedule.last_run_at or LONG_AGO)
    schedule.next_run_at = None if schedule.is_exhausted else schedule.next_run(after)
    schedule.enabled = schedule.next_run_at is not None


def advance(
    schedule: Schedule, now: datetime, *, is_going: bool = False, grace: timedelta = MISFIRE_GRACE
) -> list[datetime]:
    """Move a due schedule on to its next run after `now`.

    Args:
        schedule: Changed in place.
        now: The time.
        is_going: Whether it has a run that has not ended, and skips others meanwhile.
        grace: How late a run may be before it counts as missed.

    Returns:
        The slots to send, oldest first: by the misfire policy none, one, or all that were missed.

    Raises:
        ValueError: Its columns make no rule.
    """
    slots = [] if is_going else _due_slots(schedule, now, grace)
    if schedule.max_runs is not None:
        slots = slots[: max(0, schedule.max_runs - schedule.total_run_count)]
    # Where runs wait for each other, those that were missed go one by one.
    handled = now
    if schedule.overlap_policy == OverlapPolicy.QUEUE and len(slots) > 1:
        handled, slots = slots[0], slots[:1]
    if slots:
        schedule.last_run_at = now
        schedule.total_run_count += len(slots)
    schedule.next_run_at = None if schedule.is_exhausted else schedule.next_run(handled)
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
    """The task to send for one slot; the same slot always has the same task id, so a repeat is recognisable."""
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
        # Spread by the id, so that a repeat is no later than the first.
        options["countdown"] = countdown = schedule.jitter_seconds * (task_id.int % 1000) / 1000
        if schedule.expires_seconds is not None:
            options["expires"] = schedule.expires_seconds + countdown
    return {name: value for name, value in options.items() if value is not None}
