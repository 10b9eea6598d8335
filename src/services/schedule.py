import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

from src.core.effects import TaskCall
from src.core.exceptions import ConflictError, InvalidInputError
from src.core.query import PageRequest
from src.core.resources import Resources
from src.core.security.caller import caller_id
from src.core.unit_of_work import UnitOfWork
from src.crud.schedule import ScheduleCRUD
from src.crud.task_run import queued_run
from src.models.schedule import Schedule, ScheduleKind, ScheduleOrigin
from src.models.task_run import TaskRun
from src.schemas.schedule import ScheduleCreate, SchedulePreview, ScheduleUpdate
from src.utils.date import utc_now

# What each kind needs, as the client writes it.
TIMING = {
    ScheduleKind.INTERVAL: {"every": "every", "period": "period"},
    ScheduleKind.CRONTAB: {"crontab": "crontab"},
    ScheduleKind.SOLAR: {"event": "event", "latitude": "latitude", "longitude": "longitude"},
    ScheduleKind.CLOCKED: {"clocked_time": "clockedTime"},
}
CENTURY = timedelta(days=36_500)
# Whoever changes one of these asks beat to plan anew.
PLANNED_BY = frozenset(
    {
        "kind",
        "timezone",
        "start_time",
        "end_time",
        "max_runs",
        "enabled",
        *(name for names in TIMING.values() for name in names),
    }
)


class ScheduleService:
    """Keeps the schedules that beat works from."""

    def __init__(self, resources: Resources, uow: UnitOfWork) -> None:
        self.resources = resources
        self.uow = uow
        self.schedules = ScheduleCRUD(uow.session, caller_id.get())

    async def page(self, query: PageRequest) -> tuple[Sequence[Schedule], int | None]:
        """One page of the schedules, and how many there are, if the query asks."""
        return await self.schedules.page(query)

    async def get(self, schedule_id: UUID) -> Schedule:
        """One schedule.

        Raises:
            NotFoundError: There is none.
        """
        return await self.schedules.get(schedule_id)

    async def create(self, data: ScheduleCreate) -> Schedule:
        """Add a schedule; beat knows of it within a second.

        Raises:
            InvalidInputError: Its timing is incomplete or never comes, or there is no such task, or it takes other
                arguments.
            ConflictError: The name is taken.
        """
        await self._check(data)
        if await self.schedules.exists({"name": data.name}):
            raise ConflictError("There is a schedule with this name.", data={"name": data.name})
        return await self.schedules.create(data)

    async def update(self, schedule_id: UUID, data: ScheduleUpdate) -> Schedule:
        """Change what is given; beat knows of it within a second.

        Raises:
            NotFoundError: There is no such schedule.
            InvalidInputError: What would come of it, as in `create`.
            ConflictError: The name is taken, or the schedule comes from the code and more than `enabled` is given.
        """
        schedule = await self.schedules.get(schedule_id)
        changes = {name: getattr(data, name) for name in data.model_fields_set}
        if schedule.origin == ScheduleOrigin.CONFIG and set(changes) - {"enabled"}:
            raise _from_code()
        if set(changes) - {"enabled"}:
            present = {name: getattr(schedule, name) for name in ScheduleCreate.model_fields}
            merged = ScheduleCreate.model_validate({**present, **changes})
            _schedule(merged)
            await self._check_call(merged)
        if "name" in changes and await self.schedules.exists({"name": changes["name"], "id__ne": schedule.id}):
            raise ConflictError("There is a schedule with this name.", data={"name": changes["name"]})
        if PLANNED_BY & changes.keys():
            changes["next_run_at"] = None
        updated = await self.schedules.update(schedule, changes)
        if PLANNED_BY & changes.keys() and updated.enabled:
            _check_upcoming(updated)
        return updated

    async def delete(self, schedule_id: UUID) -> None:
        """Remove a schedule; its runs stay in the ledger.

        Raises:
            NotFoundError: There is no such schedule.
            ConflictError: It comes from the code.
        """
        schedule = await self.schedules.get(schedule_id)
        if schedule.origin == ScheduleOrigin.CONFIG:
            raise _from_code()
        await self.schedules.delete(schedule)

    async def run(self, schedule_id: UUID) -> TaskRun:
        """Send a schedule's task now, whatever its timing; returns the run.

        Raises:
            NotFoundError: There is no such schedule.
        """
        schedule = await self.schedules.get(schedule_id)
        call = TaskCall(
            schedule.task,
            schedule.args,
            schedule.kwargs,
            queue=schedule.queue,
            priority=schedule.priority,
            headers=schedule.headers,
            schedule_id=schedule.id,
        )
        self.uow.enqueue_call(call)
        return queued_run(call)

    async def preview(self, data: SchedulePreview) -> list[datetime]:
        """The next runs of a schedule that need not exist, `count` at most.

        Raises:
            InvalidInputError: Its timing is incomplete or never comes.
        """
        runs = islice(_runs(_schedule(data)), data.count)
        # Rare ones, such as sunrises near a pole, take a search of years each.
        return await asyncio.to_thread(list, runs)

    async def _check(self, data: ScheduleCreate) -> None:
        _check_upcoming(_schedule(data))
        await self._check_call(data)

    async def _check_call(self, data: ScheduleCreate) -> None:
        task = (await self.resources.tasks.publisher.catalog()).get(data.task)
        if task is None:
            raise InvalidInputError("task", "There is no such task.")
        for field, message in task.check_call(data.args, data.kwargs).items():
            raise InvalidInputError(field, message)


def _check_upcoming(schedule: Schedule) -> None:
    if schedule.is_exhausted:
        raise InvalidInputError("maxRuns", "It has had as many runs.")
    if schedule.next_run(utc_now()) is None:
        raise InvalidInputError("kind", "It would never run: its time has passed, or never comes.")


def _from_code() -> ConflictError:
    return ConflictError("The schedule comes from the code; it can be switched on and off.", error="schedules.config")


def _schedule(data: ScheduleCreate) -> Schedule:
    """The row of a schedule whose timing is complete."""
    for column, field in TIMING[data.kind].items():
        if getattr(data, column) is None:
            raise InvalidInputError(field, f"A schedule of kind {data.kind} needs it.")
    if data.every and data.period and data.every > CENTURY // timedelta(**{data.period: 1}):
        raise InvalidInputError("every", "It is longer than a century.")
    if data.start_time and data.end_time and data.start_time > data.end_time:
        raise InvalidInputError("endTime", "It lies before startTime.")
    return Schedule.model_validate(data.model_dump(exclude={"count"}))


def _runs(schedule: Schedule) -> Iterator[datetime]:
    slot = schedule.next_run(utc_now())
    while slot is not None:
        yield slot
        slot = schedule.next_run(slot)
