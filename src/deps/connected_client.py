from typing import Annotated

from fastapi import Depends

from src.deps.database import ResourcesDep
from src.deps.user import UserAdminServiceDep
from src.services.connected_client import ConnectedClientService


async def get_connected_client_service(resources: ResourcesDep, users: UserAdminServiceDep) -> ConnectedClientService:
    """The service for the connected Socket.IO clients."""
    return ConnectedClientService(resources, users)


ConnectedClientServiceDep = Annotated[ConnectedClientService, Depends(get_connected_client_service)]
