from typing import Annotated

from fastapi import Depends

from src.deps.database import UnitOfWorkDep
from src.deps.permission import PermissionServiceDep
from src.services.role import RoleService


async def get_role_service(uow: UnitOfWorkDep, permissions: PermissionServiceDep) -> RoleService:
    """Roles, on the request's unit of work."""
    return RoleService(uow, permissions)


RoleServiceDep = Annotated[RoleService, Depends(get_role_service)]
