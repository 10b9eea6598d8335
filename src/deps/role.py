from typing import Annotated

from fastapi import Depends

from src.deps.database import ReadUnitOfWorkDep, UnitOfWorkDep
from src.deps.permission import PermissionServiceDep
from src.services.role import RoleService


async def get_role_service(uow: UnitOfWorkDep, permissions: PermissionServiceDep) -> RoleService:
    """The service for roles."""
    return RoleService(uow, permissions)


RoleServiceDep = Annotated[RoleService, Depends(get_role_service)]


async def get_role_reader(uow: ReadUnitOfWorkDep, permissions: PermissionServiceDep) -> RoleService:
    """The service for reading roles, on the replica if there is one."""
    return RoleService(uow, permissions)


RoleReaderDep = Annotated[RoleService, Depends(get_role_reader)]
