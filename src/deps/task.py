from typing import Annotated

from fastapi import Depends

from src.deps.database import ResourcesDep, UnitOfWorkDep
from src.services.task_run import TaskRunService


async def get_task_run_service(uow: UnitOfWorkDep, resources: ResourcesDep) -> TaskRunService:
    """The service for tasks and their runs."""
    return TaskRunService(uow, resources)


TaskRunServiceDep = Annotated[TaskRunService, Depends(get_task_run_service)]
