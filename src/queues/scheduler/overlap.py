"""What beat knows of the run before: whether it is still going, by the ledger."""

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

# A run of which nothing was heard for so long was lost, and holds up nobody any more.
LOST_AFTER = timedelta(days=1)


def not_waiting_for_previous_run() -> ColumnElement[bool]:
    """Of schedules: not one whose runs wait for each other while one is going."""
    going = exists().where(col(TaskRun.schedule_id) == Schedule.id, *_going())
    return or_(Schedule.overlap_policy != OverlapPolicy.QUEUE, ~going)


async def has_running(session: AsyncSession, schedules: Sequence[Schedule]) -> Collection[UUID]:
    """Which of the schedules that skip a run while another is going have one that is."""
    ids = [schedule.id for schedule in schedules if schedule.overlap_policy == OverlapPolicy.SKIP]
    if not ids:
        return ()
    found = await session.exec(select(TaskRun.schedule_id).where(col(TaskRun.schedule_id).in_(ids), *_going()))
    return {schedule_id for schedule_id in found.all() if schedule_id}


async def note_run(session: AsyncSession, schedule: Schedule, message: dict[str, Any]) -> None:
    """Put a run that is about to be sent into the ledger, where the next one looks for it."""
    if schedule.overlap_policy == OverlapPolicy.ALLOW:
        return
    run = TaskRun(id=UUID(message["task_id"]), name=schedule.task, schedule_id=schedule.id, queued_at=utc_now())
    # A slot that is sent again may have begun already.
    await session.exec(insert(TaskRun).values(run.model_dump()).on_conflict_do_nothing())


def _going() -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    # Of the moment when a statement is executed, so that statements can be kept.
    recent = bindparam("recent", callable_=_recent, type_=DateTime(timezone=True))
    return col(TaskRun.state).not_in(FINISHED), col(TaskRun.queued_at) > recent


def _recent() -> datetime:
    return utc_now() - LOST_AFTER
