from typing import Annotated

from fastapi import Depends

from src.deps.database import ResourcesDep, UnitOfWorkDep
from src.services.profile import ProfileService
from src.services.user import UserService
from src.services.user_admin import UserAdminService


async def get_profile_service(resources: ResourcesDep) -> ProfileService:
    """The service for the current user's profile."""
    return ProfileService(resources)


async def get_user_service(uow: UnitOfWorkDep, resources: ResourcesDep) -> UserService:
    """The service for listing and registering users."""
    return UserService(uow, resources)


async def get_user_admin_service(uow: UnitOfWorkDep, resources: ResourcesDep) -> UserAdminService:
    """The service for the administration of users."""
    return UserAdminService(uow, resources)


ProfileServiceDep = Annotated[ProfileService, Depends(get_profile_service)]
UserServiceDep = Annotated[UserService, Depends(get_user_service)]
UserAdminServiceDep = Annotated[UserAdminService, Depends(get_user_admin_service)]
