from typing import Annotated

from fastapi import Depends

from src.deps.database import ReadUnitOfWorkDep, ResourcesDep
from src.services.ops import OpsService


async def get_ops_service(uow: ReadUnitOfWorkDep, resources: ResourcesDep) -> OpsService:
    """The service for the overview of all processes."""
    return OpsService(uow, resources)


OpsServiceDep = Annotated[OpsService, Depends(get_ops_service)]
