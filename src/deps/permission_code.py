from typing import Annotated

from fastapi import Depends

from src.deps.database import ResourcesDep
from src.services.permission_code import PermissionCodeService


async def get_permission_code_service(resources: ResourcesDep) -> PermissionCodeService:
    """The service that lists permission codes."""
    return PermissionCodeService(resources)


PermissionCodeServiceDep = Annotated[PermissionCodeService, Depends(get_permission_code_service)]
