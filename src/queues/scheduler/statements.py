"""Prepared SELECTs used by each scheduler tick. Building a statement costs more than running it."""

from sqlalchemy import bindparam, exists, func
from sqlmodel import col, select

from src.models.schedule import Schedule
from src.queues.scheduler.overlap import not_waiting_for_previous_run

BATCH = 1000

_enabled, _next = col(Schedule.enabled), col(Schedule.next_run_at)
# Whether any row is unplanned, and when the next one is due: all that an idle tick needs.
NEXT_DUE = select(
    exists().where(_enabled, _next.is_(None)),
    select(func.min(_next)).where(_enabled, not_waiting_for_previous_run()).scalar_subquery(),
)
UNPLANNED_SCHEDULES = select(Schedule).where(_enabled, _next.is_(None)).limit(BATCH).with_for_update(skip_locked=True)
DUE_SCHEDULES = (
    select(Schedule)
    .where(_enabled, _next <= bindparam("now"), not_waiting_for_previous_run())
    .order_by(_next)
    .limit(BATCH)
    .with_for_update(skip_locked=True)
)
