from typing import Annotated

from fastapi import Depends

from src.deps.database import ResourcesDep, UnitOfWorkDep
from src.services.dead_letter import DeadLetterService
from src.services.task_run import TaskRunService


async def get_task_run_service(uow: UnitOfWorkDep, resources: ResourcesDep) -> TaskRunService:
    """The service for tasks and their runs."""
    return TaskRunService(uow, resources)


async def get_dead_letter_service(resources: ResourcesDep) -> DeadLetterService:
    """The service for dead letters."""
    return DeadLetterService(resources)


DeadLetterServiceDep = Annotated[DeadLetterService, Depends(get_dead_letter_service)]
TaskRunServiceDep = Annotated[TaskRunService, Depends(get_task_run_service)]
