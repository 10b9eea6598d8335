from typing import Annotated

from fastapi import Depends

from src.deps.database import ResourcesDep, UnitOfWorkDep
from src.services.task_run import TaskRunService


async def get_task_run_service(resources: ResourcesDep, uow: UnitOfWorkDep) -> TaskRunService:
    """The ledger of runs, on the unit of work of this request or task."""
    return TaskRunService(resources, uow)


TaskRunServiceDep = Annotated[TaskRunService, Depends(get_task_run_service)]
