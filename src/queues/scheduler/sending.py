"""Plans new schedules and sends due ones, in the transaction of a tick; pauses those that cannot or may not run."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from celery.utils.log import get_logger
from kombu.exceptions import OperationalError
from prometheus_client import Histogram
from sqlmodel.ext.asyncio.session import AsyncSession

from src.models.schedule import Schedule
from src.queues.scheduler.overlap import has_running, insert_run
from src.queues.scheduler.planning import advance, message, plan
from src.queues.scheduler.statements import DUE_SCHEDULES, UNPLANNED_SCHEDULES

logger = get_logger(__name__)

LAG = Histogram(
    "schedule_lag_seconds", "How late beat sends due schedules.", buckets=(0.1, 0.5, 1, 5, 30, 60, 300, 3600)
)


async def plan_new(session: AsyncSession, now: datetime) -> int:
    """Set the next run of schedules that have none; returns how many there were."""
    schedules = (await session.exec(UNPLANNED_SCHEDULES)).all()
    for schedule in schedules:
        try:
            plan(schedule, now)
        except Exception as error:
            _pause(schedule, str(error), error)
    return len(schedules)


async def send_due(
    session: AsyncSession,
    now: datetime,
    *,
    send: Callable[..., object],
    find_refusals: Callable[[AsyncSession, Sequence[Schedule]], Awaitable[Mapping[UUID, str]]],
    grace: timedelta,
) -> int:
    """Send the due schedules that no other beat has locked; returns how many there were.

    Args:
        session: The transaction, in which they stay locked.
        now: The current time.
        send: Sends a task, by its name and options.
        find_refusals: Returns why schedules may not run, by their ids.
        grace: How late a run may be before it counts as missed.

    Raises:
        OperationalError: The broker is unavailable.
    """
    schedules = (await session.exec(DUE_SCHEDULES, params={"now": now})).all()
    running = await has_running(session, schedules)
    refusals = await find_refusals(session, schedules) if schedules else {}
    for schedule in schedules:
        if schedule.id in refusals:
            _pause(schedule, refusals[schedule.id])
            continue
        due = schedule.next_run_at
        try:
            slots = advance(schedule, now, is_running=schedule.id in running, grace=grace)
            messages = [message(schedule, slot) for slot in slots]
        except Exception as error:
            _pause(schedule, str(error), error)
            continue
        await _send(session, schedule, messages, send)
        if messages and due is not None:
            LAG.observe((now - due).total_seconds())
    return len(schedules)


async def _send(
    session: AsyncSession, schedule: Schedule, messages: Sequence[dict[str, Any]], send: Callable[..., object]
) -> None:
    for options in messages:
        try:
            send(**options)
        except OperationalError:
            raise
        except Exception as error:
            _pause(schedule, str(error), error)
            return
        await insert_run(session, schedule, options)
        logger.debug("beat: sent %s for %s", schedule.task, schedule.name)


def _pause(schedule: Schedule, reason: str, error: Exception | None = None) -> None:
    """Disable a schedule that cannot or may not run, so that it does not block the others."""
    logger.error("beat: schedule %r is disabled: %s", schedule.name, reason, exc_info=error)
    schedule.enabled, schedule.pause_reason = False, reason
