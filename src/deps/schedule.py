from typing import Annotated

from fastapi import Depends

from src.deps.database import ResourcesDep, UnitOfWorkDep
from src.services.schedule import ScheduleService


async def get_schedule_service(uow: UnitOfWorkDep, resources: ResourcesDep) -> ScheduleService:
    """The service for schedules."""
    return ScheduleService(uow, resources)


ScheduleServiceDep = Annotated[ScheduleService, Depends(get_schedule_service)]
