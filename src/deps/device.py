from typing import Annotated

from fastapi import Depends

from src.deps.database import ResourcesDep
from src.services.device import DeviceService


async def get_device_service(resources: ResourcesDep) -> DeviceService:
    """The service for the devices of a user."""
    return DeviceService(resources)


DeviceServiceDep = Annotated[DeviceService, Depends(get_device_service)]
