from typing import Annotated

from fastapi import Depends

from src.core.security.access import declare_permission
from src.deps.database import ResourcesDep, UnitOfWorkDep
from src.deps.permission import owner_or
from src.services.actor import OwnerScope
from src.services.schedule import ScheduleService

MANAGE_SCHEDULES = declare_permission("schedules.manage", "Change, delete and run everybody's schedules")
ScheduleScopeDep = Annotated[OwnerScope, owner_or(MANAGE_SCHEDULES)]


async def get_schedule_service(uow: UnitOfWorkDep, resources: ResourcesDep) -> ScheduleService:
    """The service for schedules."""
    return ScheduleService(uow, resources)


ScheduleServiceDep = Annotated[ScheduleService, Depends(get_schedule_service)]
