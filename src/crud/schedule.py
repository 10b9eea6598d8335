from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from sqlalchemy import func
from sqlmodel import col, select

from src.crud.crud_sqlmodel import BaseSQLModelCRUD
from src.models.schedule import Schedule

# How late a schedule may be: outages of this length are made up for.
LATE = timedelta(minutes=1)


class ScheduleCRUD(BaseSQLModelCRUD[Schedule]):
    """Schedules."""

    model: ClassVar[type[Schedule]] = Schedule

    async def count_by_state(self, now: datetime) -> dict[str, int]:
        """Count the schedules that are enabled, paused with a reason, due, and over a minute late."""
        enabled, next_run_at = col(Schedule.enabled), col(Schedule.next_run_at)
        states: dict[str, Any] = {
            "enabled": enabled,
            "paused": ~enabled & col(Schedule.pause_reason).is_not(None),
            "due": enabled & (next_run_at <= now),
            "late": enabled & (next_run_at < now - LATE),
        }
        counts = select(*[func.count().filter(state) for state in states.values()]).select_from(Schedule)
        row: Any = (await self.session.exec(counts)).one()
        return dict(zip(states, row, strict=True))

    async def queues(self) -> Sequence[str]:
        """The queues that enabled schedules name."""
        named = select(Schedule.queue).where(col(Schedule.enabled), col(Schedule.queue).is_not(None)).distinct()
        return [queue for queue in (await self.session.exec(named)).all() if queue is not None]
