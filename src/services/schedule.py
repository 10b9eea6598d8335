import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from uuid import UUID

from src.core.effects import TaskCall
from src.core.exceptions import ConflictError, InvalidInputError, NotFoundError
from src.core.list_filters import PageRequest
from src.core.realtime.rooms import OPS_ROOM
from src.core.resources import Resources
from src.core.tasks.info import TaskInfo
from src.core.unit_of_work import UnitOfWork
from src.crud.schedule import ScheduleCRUD
from src.crud.task_run import queued_run
from src.crud.user import UserCRUD
from src.models.schedule import Schedule, ScheduleKind, ScheduleOrigin
from src.models.task_run import TaskRun
from src.schemas.schedule import ScheduleCreate, ScheduleDeleted, SchedulePreview, ScheduleResponse, ScheduleUpdate
from src.services.actor import Actor, OwnerScope
from src.utils.date import utc_now

# The fields that each kind requires: column → name on the wire.
REQUIRED_FIELDS = {
    ScheduleKind.INTERVAL: {"every": "every", "period": "period"},
    ScheduleKind.CRONTAB: {"crontab": "crontab"},
    ScheduleKind.SOLAR: {"event": "event", "latitude": "latitude", "longitude": "longitude"},
    ScheduleKind.CLOCKED: {"clocked_time": "clockedTime"},
}
CENTURY = timedelta(days=36_500)
# A change of one of these columns makes beat plan the next run anew.
TIMING_COLUMNS = frozenset(
    {
        "kind",
        "timezone",
        "start_time",
        "end_time",
        "max_runs",
        "enabled",
        *(name for names in REQUIRED_FIELDS.values() for name in names),
    }
)


class ScheduleService:
    """Manages the schedules that beat sends tasks by.

    Whoever creates, changes or runs a schedule needs the permission that its task requires; beat checks it at each run,
    against the user who last changed the schedule. Methods with a scope raise `PermissionDeniedError` outside it.
    """

    def __init__(self, uow: UnitOfWork, resources: Resources) -> None:
        self.resources = resources
        self.uow = uow
        self.schedules = ScheduleCRUD(uow.session)

    async def page(self, query: PageRequest) -> tuple[Sequence[Schedule], int | None]:
        """One page of schedules, and their total number if the query asks for it."""
        return await self.schedules.page(query)

    async def get(self, schedule_id: UUID) -> Schedule:
        """One schedule.

        Raises:
            NotFoundError: It does not exist.
        """
        return await self.schedules.get(schedule_id)

    async def create(self, data: ScheduleCreate, actor: Actor) -> Schedule:
        """Create a schedule; beat picks it up within a second.

        Raises:
            InvalidInputError: The timing is incomplete or lies in the past, the task does not exist, or its arguments
                are invalid.
            PermissionDeniedError: The actor may not start the task.
            ConflictError: The name is taken, or the actor has too many schedules.
        """
        _check_upcoming(_schedule(data))
        await self._check_call(data, actor)
        await self._require_free_name(data.name)
        await self._check_limit(actor.user_id)
        return self._show(await ScheduleCRUD(self.uow.session, actor.user_id).create(data))

    async def update(self, schedule_id: UUID, data: ScheduleUpdate, actor: Actor, scope: OwnerScope) -> Schedule:
        """Partial update: only fields that are set are changed. Beat picks it up within a second.

        The actor becomes the author, with whose permissions the schedule runs. Disabling does not need the task's.

        Raises:
            NotFoundError: The schedule does not exist.
            InvalidInputError: The updated schedule is invalid, as in `create`.
            PermissionDeniedError: The actor may not start the task.
            ConflictError: The name is taken, or the schedule is defined in code and not only `enabled` is set.
        """
        schedule = await self.schedules.get(schedule_id)
        scope.require(schedule.created_by)
        changes = {name: getattr(data, name) for name in data.model_fields_set}
        if schedule.origin == ScheduleOrigin.CONFIG:
            if set(changes) - {"enabled"}:
                raise _defined_in_code()
        elif changes != {"enabled": False}:
            current = {name: getattr(schedule, name) for name in ScheduleCreate.model_fields}
            merged = ScheduleCreate.model_validate({**current, **changes})
            _schedule(merged)
            await self._check_call(merged, actor)
        if changes.get("name", schedule.name) != schedule.name:
            await self._require_free_name(changes["name"])
        if TIMING_COLUMNS & changes.keys():
            changes["next_run_at"] = None
        if "enabled" in changes:
            changes |= {"pause_reason": None, "paused_by": None}
        updated = await ScheduleCRUD(self.uow.session, actor.user_id).update(schedule, changes)
        if TIMING_COLUMNS & changes.keys() and updated.enabled:
            _check_upcoming(updated)
        return self._show(updated)

    async def pause(self, schedule_id: UUID, reason: str, actor: Actor, scope: OwnerScope) -> Schedule:
        """Disable a schedule with a reason, also one that is defined in code.

        Raises:
            NotFoundError: The schedule does not exist.
        """
        schedule = await self.schedules.get(schedule_id)
        scope.require(schedule.created_by)
        changes = {"enabled": False, "next_run_at": None, "pause_reason": reason, "paused_by": actor.user_id}
        return self._show(await ScheduleCRUD(self.uow.session, actor.user_id).update(schedule, changes))

    async def resume(self, schedule_id: UUID, actor: Actor, scope: OwnerScope) -> Schedule:
        """Enable a schedule; see `update`."""
        return await self.update(schedule_id, ScheduleUpdate(enabled=True), actor, scope)

    async def delete(self, schedule_id: UUID, scope: OwnerScope) -> None:
        """Delete a schedule; its runs stay in the run history.

        Raises:
            NotFoundError: The schedule does not exist.
            ConflictError: The schedule is defined in code.
        """
        schedule = await self.schedules.get(schedule_id)
        scope.require(schedule.created_by)
        if schedule.origin == ScheduleOrigin.CONFIG:
            raise _defined_in_code()
        await self.schedules.delete(schedule)
        self.uow.emit("schedule.deleted", ScheduleDeleted(id=schedule_id), room=OPS_ROOM)

    async def run(self, schedule_id: UUID, actor: Actor, scope: OwnerScope) -> TaskRun:
        """Send a schedule's task now, independent of its timing; returns the run.

        Raises:
            NotFoundError: The schedule, or its task, does not exist.
            PermissionDeniedError: The actor may not start the task.
        """
        schedule = await self.schedules.get(schedule_id)
        scope.require(schedule.created_by)
        task = await self._find_task(schedule.task)
        if task is None:
            raise NotFoundError(f"There is no task {schedule.task!r}.")
        actor.require_start(task)
        call = TaskCall(
            schedule.task,
            schedule.args,
            schedule.kwargs,
            queue=schedule.queue,
            priority=schedule.priority,
            expires=utc_now() + timedelta(seconds=schedule.expires_seconds) if schedule.expires_seconds else None,
            headers=schedule.headers,
            schedule_id=schedule.id,
        )
        self.uow.enqueue_call(call)
        return queued_run(call)

    async def preview(self, data: SchedulePreview) -> list[datetime]:
        """The next `count` runs of a schedule that is not stored.

        Raises:
            InvalidInputError: The timing is incomplete or lies in the past.
        """
        runs = islice(_runs(_schedule(data)), data.count)
        # In a thread: rare slots, such as sunrises near a pole, take a long search.
        return await asyncio.to_thread(list, runs)

    def _show(self, schedule: Schedule) -> Schedule:
        """Emit a schedule to those who watch."""
        self.uow.emit("schedule.changed", ScheduleResponse.model_validate(schedule), room=OPS_ROOM)
        return schedule

    async def _require_free_name(self, name: str) -> None:
        if await self.schedules.exists({"name": name}):
            raise ConflictError("A schedule with this name exists already.", data={"name": name})

    async def _check_limit(self, user_id: UUID) -> None:
        limit = self.resources.settings.celery.schedules_per_user
        await UserCRUD(self.uow.session).lock(user_id)
        if await self.schedules.count({"created_by": user_id}) >= limit:
            raise ConflictError(
                f"You have {limit} schedules, which is the limit.", error="schedules.too_many", data={"limit": limit}
            )

    async def _find_task(self, name: str) -> TaskInfo | None:
        return (await self.resources.tasks.publisher.catalog()).get(name)

    async def _check_call(self, data: ScheduleCreate, actor: Actor) -> None:
        task = await self._find_task(data.task)
        if task is None:
            raise InvalidInputError("task", "No task has this name.")
        actor.require_start(task)
        for field, message in task.check_call(data.args, data.kwargs).items():
            raise InvalidInputError(field, message)


def _check_upcoming(schedule: Schedule) -> None:
    if schedule.is_exhausted:
        raise InvalidInputError("maxRuns", "The schedule has already run this many times.")
    if schedule.next_run(utc_now()) is None:
        raise InvalidInputError("kind", "The schedule would never run: its time lies in the past or does not exist.")


def _defined_in_code() -> ConflictError:
    return ConflictError(
        "The schedule is defined in code; it can only be enabled and disabled.", error="schedules.config"
    )


def _schedule(data: ScheduleCreate) -> Schedule:
    """Build the schedule after checking that its timing is complete."""
    for column, field in REQUIRED_FIELDS[data.kind].items():
        if getattr(data, column) is None:
            raise InvalidInputError(field, f"A schedule of kind {data.kind} requires this field.")
    if data.every and data.period and data.every > CENTURY // timedelta(**{data.period: 1}):
        raise InvalidInputError("every", "The interval is longer than a century.")
    if data.start_time and data.end_time and data.start_time > data.end_time:
        raise InvalidInputError("endTime", "The end lies before startTime.")
    return Schedule.model_validate(data.model_dump(exclude={"count"}))


def _runs(schedule: Schedule) -> Iterator[datetime]:
    slot = schedule.next_run(utc_now())
    while slot is not None:
        yield slot
        slot = schedule.next_run(slot)
