from typing import Annotated

from fastapi import Depends

from src.deps.database import ResourcesDep, UnitOfWorkDep
from src.services.schedule import ScheduleService


async def get_schedule_service(resources: ResourcesDep, uow: UnitOfWorkDep) -> ScheduleService:
    """The service for schedules."""
    return ScheduleService(resources, uow)


ScheduleServiceDep = Annotated[ScheduleService, Depends(get_schedule_service)]
