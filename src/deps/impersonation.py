from typing import Annotated

from fastapi import Depends

from src.deps.database import ResourcesDep, UnitOfWorkDep
from src.services.impersonation import ImpersonationService


async def get_impersonation_service(uow: UnitOfWorkDep, resources: ResourcesDep) -> ImpersonationService:
    """The service for administrators who act as a user."""
    return ImpersonationService(uow, resources)


ImpersonationServiceDep = Annotated[ImpersonationService, Depends(get_impersonation_service)]
