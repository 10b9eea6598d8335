from typing import Annotated

from fastapi import Depends

from src.deps.auth import SessionServiceDep
from src.deps.database import ResourcesDep, UnitOfWorkDep
from src.deps.permission import PermissionServiceDep
from src.services.password import PasswordService
from src.services.profile import ProfileService
from src.services.user import UserService
from src.services.user_admin import UserAdminService


async def get_password_service(resources: ResourcesDep) -> PasswordService:
    """The service that decrypts, verifies and hashes passwords."""
    return PasswordService(resources)


PasswordServiceDep = Annotated[PasswordService, Depends(get_password_service)]


async def get_profile_service(resources: ResourcesDep) -> ProfileService:
    """The service for the current user's profile."""
    return ProfileService(resources)


async def get_user_service(uow: UnitOfWorkDep) -> UserService:
    """The service for listing and registering users."""
    return UserService(uow)


async def get_user_admin_service(
    uow: UnitOfWorkDep, permissions: PermissionServiceDep, sessions: SessionServiceDep, passwords: PasswordServiceDep
) -> UserAdminService:
    """The service for the administration of users."""
    return UserAdminService(uow, permissions, sessions, passwords)


ProfileServiceDep = Annotated[ProfileService, Depends(get_profile_service)]
UserServiceDep = Annotated[UserService, Depends(get_user_service)]
UserAdminServiceDep = Annotated[UserAdminService, Depends(get_user_admin_service)]
