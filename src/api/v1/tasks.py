from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query

from src.api.route import AuditedRoute
from src.deps.permission import require_permission
from src.deps.task import TaskRunServiceDep
from src.schemas.response import CursorPage, Response, ok
from src.schemas.task import RunQuery, RunResponse, RunsToRetry, TaskResponse

router = APIRouter(prefix="/tasks", tags=["Task"], route_class=AuditedRoute, dependencies=[Depends(require_permission)])

TaskId = Annotated[UUID, Path(alias="taskId")]


@router.get("")
async def list_tasks(runs: TaskRunServiceDep) -> Response[list[TaskResponse]]:
    """The tasks that can be sent."""
    return ok([TaskResponse.model_validate(task) for task in await runs.tasks()])


@router.get("/runs")
async def list_runs(query: Annotated[RunQuery, Query()], runs: TaskRunServiceDep) -> Response[CursorPage[RunResponse]]:
    """What became of the tasks that were sent, newest first."""
    rows, following = await runs.cursor(query)
    return ok(CursorPage(records=[RunResponse.model_validate(run) for run in rows], next_cursor=following))


@router.post("/runs/retry")
async def retry_failed_runs(body: RunsToRetry, runs: TaskRunServiceDep) -> Response[list[RunResponse]]:
    """Repeat failed runs; answers the new ones."""
    return ok([RunResponse.model_validate(run) for run in await runs.retry_failed(body)])


@router.get("/runs/{taskId}")
async def get_run(task_id: TaskId, runs: TaskRunServiceDep) -> Response[RunResponse]:
    """One run."""
    return ok(RunResponse.model_validate(await runs.get(task_id)))


@router.post("/runs/{taskId}/revoke")
async def revoke_run(task_id: TaskId, runs: TaskRunServiceDep) -> Response[RunResponse]:
    """Keep a run from starting, or end it where it has begun; look again to see whether it did."""
    return ok(RunResponse.model_validate(await runs.revoke(task_id)))


@router.post("/runs/{taskId}/retry")
async def retry_run(task_id: TaskId, runs: TaskRunServiceDep) -> Response[RunResponse]:
    """Send a finished run's task again; answers the new run."""
    return ok(RunResponse.model_validate(await runs.retry(task_id)))
