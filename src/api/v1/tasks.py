from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query

from src.api.audited_route import AuditedRoute
from src.api.v1.errors import CHANGED, INTERNAL_TASK, NOT_YOURS_TO_START
from src.core.exceptions import ConflictError, NotFoundError, raises
from src.deps.permission import ActorDep, require_permission
from src.deps.rate_limit import EXPENSIVE
from src.deps.task import TaskRunServiceDep
from src.schemas.base import SafeStr
from src.schemas.response import CursorPage, Response, created, ok
from src.schemas.task import (
    RevokeResult,
    RunCreate,
    RunQuery,
    RunResponse,
    RunsToRetry,
    RunsToRevoke,
    TaskResponse,
)

router = APIRouter(prefix="/tasks", tags=["Task"], route_class=AuditedRoute, dependencies=[Depends(require_permission)])

TaskId = Annotated[UUID, Path(alias="taskId", description="Id of the run.")]

NOT_FOUND = NotFoundError("TaskRun not found.")
TASK_NOT_FOUND = NotFoundError("Task not found.")
UNFINISHED = ConflictError("The run has not finished.", error="tasks.unfinished")
ARGUMENTS_NOT_KEPT = ConflictError("The run's arguments were not kept.", error="tasks.arguments_not_kept")


@router.get("")
async def list_tasks(runs: TaskRunServiceDep) -> Response[list[TaskResponse]]:
    """List the registered tasks."""
    return ok([TaskResponse.model_validate(task) for task in await runs.tasks()])


@router.post("/{taskName}/runs", status_code=201)
@raises(TASK_NOT_FOUND, INTERNAL_TASK, NOT_YOURS_TO_START)
async def send_task(
    name: Annotated[
        SafeStr, Path(alias="taskName", max_length=255, description="Name of the task.", examples=["system.ping"])
    ],
    body: RunCreate,
    runs: TaskRunServiceDep,
    actor: ActorDep,
) -> Response[RunResponse]:
    """Send a task; returns the run."""
    return created(RunResponse.model_validate(await runs.send(name, body, actor)))


@router.get("/runs")
async def list_runs(query: Annotated[RunQuery, Query()], runs: TaskRunServiceDep) -> Response[CursorPage[RunResponse]]:
    """List task runs, newest first."""
    rows, next_cursor = await runs.cursor(query)
    return ok(CursorPage(records=[RunResponse.model_validate(run) for run in rows], next_cursor=next_cursor))


@router.post("/runs/retry", dependencies=[EXPENSIVE])
@raises(CHANGED, NOT_YOURS_TO_START)
async def retry_failed_runs(body: RunsToRetry, runs: TaskRunServiceDep, actor: ActorDep) -> Response[list[RunResponse]]:
    """Retry failed runs; returns the new runs."""
    return ok([RunResponse.model_validate(run) for run in await runs.retry_failed(body, actor)])


@router.post("/runs/revoke", dependencies=[EXPENSIVE])
@raises(CHANGED)
async def revoke_runs(body: RunsToRevoke, runs: TaskRunServiceDep) -> Response[list[RevokeResult]]:
    """Revoke several runs; returns what became of each."""
    return ok(await runs.revoke_many(body.task_ids))


@router.get("/runs/{taskId}")
@raises(NOT_FOUND)
async def get_run(task_id: TaskId, runs: TaskRunServiceDep) -> Response[RunResponse]:
    """Get a task run."""
    return ok(RunResponse.model_validate(await runs.get(task_id)))


@router.post("/runs/{taskId}/revoke")
@raises(NOT_FOUND, ConflictError("The run has finished.", error="tasks.finished"), CHANGED)
async def revoke_run(task_id: TaskId, runs: TaskRunServiceDep) -> Response[RunResponse]:
    """Revoke a run: prevent its start, or terminate it; get the run again to see the result."""
    return ok(RunResponse.model_validate(await runs.revoke(task_id)))


@router.post("/runs/{taskId}/retry")
@raises(NOT_FOUND, UNFINISHED, ARGUMENTS_NOT_KEPT, CHANGED, NOT_YOURS_TO_START)
async def retry_run(task_id: TaskId, runs: TaskRunServiceDep, actor: ActorDep) -> Response[RunResponse]:
    """Retry a finished run; returns the new run."""
    return ok(RunResponse.model_validate(await runs.retry(task_id, actor)))
