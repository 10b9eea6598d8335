from typing import Annotated

from fastapi import Depends

from src.deps.database import UnitOfWorkDep
from src.services.router import RouterService


async def get_router_service(uow: UnitOfWorkDep) -> RouterService:
    """The service, on the unit of work of this request, event or task."""
    return RouterService(uow)


RouterServiceDep = Annotated[RouterService, Depends(get_router_service)]
