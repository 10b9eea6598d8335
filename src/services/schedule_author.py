"""Whether schedules may still run with the permissions of their authors; beat asks before it sends them."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from src.models.schedule import Schedule, ScheduleOrigin
from src.services.permission import read_actors


async def find_refusals(
    session: AsyncSession, schedules: Sequence[Schedule], tasks: Mapping[str, Any]
) -> dict[UUID, str]:
    """Why schedules may not run, by their ids. Schedules without an author are written by code or with SQL, and run.

    Args:
        session: The transaction of beat.
        schedules: The schedules that are due.
        tasks: The registered tasks by name.
    """
    authors = {
        schedule.id: schedule.updated_by
        for schedule in schedules
        if schedule.updated_by is not None and schedule.origin == ScheduleOrigin.USER
    }
    actors = await read_actors(session, set(authors.values())) if authors else {}
    refusals = {}
    for schedule in schedules:
        author_id = authors.get(schedule.id)
        if author_id is None:
            continue
        requires = getattr(tasks.get(schedule.task), "requires", None)
        if requires is None:
            refusals[schedule.id] = f"No user may schedule {schedule.task}: it does not exist, or is internal."
        elif not actors[author_id].holds(requires):
            refusals[schedule.id] = f"The author may not start {schedule.task} any more: it requires {requires}."
    return refusals
