"""Overlap policy: checks `task_runs` for a previous run that has not finished."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, DateTime, bindparam
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, exists, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from src.models.schedule import OverlapPolicy, Schedule
from src.models.task_run import FINISHED, TaskRun
from src.utils.date import utc_now

# An unfinished run counts as lost after this time, and no longer holds up others.
LOST_AFTER = timedelta(days=1)


def not_waiting_for_previous_run() -> ColumnElement[bool]:
    """Condition on schedules: no run is in progress, or the policy is not `queue`."""
    running = exists().where(col(TaskRun.schedule_id) == Schedule.id, *_is_running())
    return or_(Schedule.overlap_policy != OverlapPolicy.QUEUE, ~running)


async def has_running(session: AsyncSession, schedules: Sequence[Schedule]) -> Collection[UUID]:
    """The ids of schedules with policy `skip` that have a run in progress."""
    ids = [schedule.id for schedule in schedules if schedule.overlap_policy == OverlapPolicy.SKIP]
    if not ids:
        return ()
    running = select(TaskRun.schedule_id).where(col(TaskRun.schedule_id).in_(ids), *_is_running())
    return {schedule_id for schedule_id in (await session.exec(running)).all() if schedule_id}


async def insert_run(session: AsyncSession, schedule: Schedule, message: dict[str, Any]) -> None:
    """Insert a run that is about to be sent into `task_runs`, where the next slot looks for it."""
    if schedule.overlap_policy == OverlapPolicy.ALLOW:
        return
    run = TaskRun(id=UUID(message["task_id"]), name=schedule.task, schedule_id=schedule.id, queued_at=utc_now())
    # A slot that is sent twice may have been recorded by its worker.
    await session.exec(insert(TaskRun).values(run.model_dump()).on_conflict_do_nothing())


def _is_running() -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    # The time is bound when a statement is executed, so that the statement can be prepared once.
    not_lost = bindparam("not_lost_since", callable_=_not_lost_since, type_=DateTime(timezone=True))
    return col(TaskRun.state).not_in(FINISHED), col(TaskRun.queued_at) > not_lost


def _not_lost_since() -> datetime:
    return utc_now() - LOST_AFTER
