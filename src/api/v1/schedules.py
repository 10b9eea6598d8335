from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query

from src.api.audited_route import AuditedRoute
from src.api.v1.errors import CHANGED, INTERNAL_TASK, NOT_YOURS, NOT_YOURS_TO_START
from src.core.exceptions import ConflictError, NotFoundError, raises
from src.deps.audit import AuditEntryDep
from src.deps.permission import ActorDep, require_permission
from src.deps.rate_limit import EXPENSIVE
from src.deps.schedule import ScheduleScopeDep, ScheduleServiceDep
from src.schemas.response import Page, Response, created, ok, paged
from src.schemas.schedule import (
    ScheduleCreate,
    SchedulePause,
    SchedulePreview,
    ScheduleQuery,
    ScheduleResponse,
    ScheduleUpdate,
)
from src.schemas.task import RunResponse

router = APIRouter(
    prefix="/schedules", tags=["Schedule"], route_class=AuditedRoute, dependencies=[Depends(require_permission)]
)

ScheduleId = Annotated[UUID, Path(alias="scheduleId", description="Id of the schedule.")]

NOT_FOUND = NotFoundError("Schedule not found.")
NAME_TAKEN = ConflictError("A schedule with this name exists already.", data={"name": "Nightly report"})
TOO_MANY = ConflictError(
    "You have 1000 schedules, which is the limit.", error="schedules.too_many", data={"limit": 1000}
)
DEFINED_IN_CODE = ConflictError(
    "The schedule is defined in code; it can only be enabled and disabled.", error="schedules.config"
)


@router.get("")
async def list_schedules(
    query: Annotated[ScheduleQuery, Query()], schedules: ScheduleServiceDep
) -> Response[Page[ScheduleResponse]]:
    """List schedules, page by page."""
    rows, total = await schedules.page(query)
    return paged(query, ([ScheduleResponse.model_validate(schedule) for schedule in rows], total))


@router.post("", status_code=201)
@raises(NAME_TAKEN, TOO_MANY, INTERNAL_TASK, NOT_YOURS_TO_START)
async def create_schedule(
    body: ScheduleCreate, schedules: ScheduleServiceDep, actor: ActorDep
) -> Response[ScheduleResponse]:
    """Create a schedule; beat picks it up within a second."""
    return created(ScheduleResponse.model_validate(await schedules.create(body, actor)))


@router.post("/preview", dependencies=[EXPENSIVE])
async def preview_schedule(body: SchedulePreview, schedules: ScheduleServiceDep) -> Response[list[datetime]]:
    """Preview the next runs of a schedule without creating it."""
    return ok(await schedules.preview(body))


@router.get("/{scheduleId}")
@raises(NOT_FOUND)
async def get_schedule(schedule_id: ScheduleId, schedules: ScheduleServiceDep) -> Response[ScheduleResponse]:
    """Get a schedule; its runs are at `/tasks/runs?scheduleId=`."""
    return ok(ScheduleResponse.model_validate(await schedules.get(schedule_id)))


@router.patch("/{scheduleId}")
@raises(NOT_FOUND, NAME_TAKEN, DEFINED_IN_CODE, CHANGED, NOT_YOURS, INTERNAL_TASK, NOT_YOURS_TO_START)
async def update_schedule(
    schedule_id: ScheduleId,
    body: ScheduleUpdate,
    schedules: ScheduleServiceDep,
    actor: ActorDep,
    scope: ScheduleScopeDep,
) -> Response[ScheduleResponse]:
    """Update a schedule; beat picks it up within a second."""
    return ok(ScheduleResponse.model_validate(await schedules.update(schedule_id, body, actor, scope)))


@router.delete("/{scheduleId}")
@raises(NOT_FOUND, DEFINED_IN_CODE, CHANGED, NOT_YOURS)
async def delete_schedule(
    schedule_id: ScheduleId, schedules: ScheduleServiceDep, scope: ScheduleScopeDep
) -> Response[None]:
    """Delete a schedule."""
    await schedules.delete(schedule_id, scope)
    return ok(None)


@router.post("/{scheduleId}/pause")
@raises(NOT_FOUND, CHANGED, NOT_YOURS)
async def pause_schedule(
    schedule_id: ScheduleId,
    body: SchedulePause,
    schedules: ScheduleServiceDep,
    actor: ActorDep,
    scope: ScheduleScopeDep,
    entry: AuditEntryDep,
) -> Response[ScheduleResponse]:
    """Pause a schedule, with a reason that its readers and the audit log see."""
    entry.details["reason"] = body.reason
    return ok(ScheduleResponse.model_validate(await schedules.pause(schedule_id, body.reason, actor, scope)))


@router.post("/{scheduleId}/resume")
@raises(NOT_FOUND, CHANGED, NOT_YOURS, INTERNAL_TASK, NOT_YOURS_TO_START)
async def resume_schedule(
    schedule_id: ScheduleId, schedules: ScheduleServiceDep, actor: ActorDep, scope: ScheduleScopeDep
) -> Response[ScheduleResponse]:
    """Resume a paused schedule; the caller becomes its author."""
    return ok(ScheduleResponse.model_validate(await schedules.resume(schedule_id, actor, scope)))


@router.post("/{scheduleId}/run")
@raises(NOT_FOUND, NOT_YOURS, INTERNAL_TASK, NOT_YOURS_TO_START)
async def run_schedule(
    schedule_id: ScheduleId, schedules: ScheduleServiceDep, actor: ActorDep, scope: ScheduleScopeDep
) -> Response[RunResponse]:
    """Run a schedule's task now; returns the run."""
    return ok(RunResponse.model_validate(await schedules.run(schedule_id, actor, scope)))
