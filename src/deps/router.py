from typing import Annotated

from fastapi import Depends

from src.deps.database import ResourcesDep
from src.services.router import RouterService


async def get_router_service(resources: ResourcesDep) -> RouterService:
    """What can be granted."""
    return RouterService(resources)


RouterServiceDep = Annotated[RouterService, Depends(get_router_service)]
