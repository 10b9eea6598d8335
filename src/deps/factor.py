from typing import Annotated

from fastapi import Depends

from src.core.exceptions import PermissionDeniedError, raises
from src.deps.auth import LoginClientDep, UserAccessJWTDep
from src.deps.database import ResourcesDep, UnitOfWorkDep
from src.services.factor import FactorService
from src.services.factor_login import FactorLoginService
from src.services.profile import ProfileService
from src.services.user_factor import UserFactorService


async def get_factor_service(uow: UnitOfWorkDep, resources: ResourcesDep) -> FactorService:
    """The service for the second factors of the current user."""
    return FactorService(uow, resources)


async def get_user_factor_service(uow: UnitOfWorkDep, resources: ResourcesDep) -> UserFactorService:
    """The service for the second factors of other users."""
    return UserFactorService(uow, resources)


async def get_factor_login_service(
    uow: UnitOfWorkDep, resources: ResourcesDep, client: LoginClientDep
) -> FactorLoginService:
    """The service for logins with a second factor or a passkey, and for step-up."""
    return FactorLoginService(uow, resources, client)


@raises(PermissionDeniedError)
async def require_no_missing_factor(claims: UserAccessJWTDep, resources: ResourcesDep) -> None:
    """A dependency for routes of the own account that wait until its user has added the factor that they must have.

    Raises:
        PermissionDeniedError: They have to add one first.
    """
    if (await ProfileService(resources).get(claims.user_id)).must_add_factor:
        raise PermissionDeniedError("Add a second factor first.")


FactorServiceDep = Annotated[FactorService, Depends(get_factor_service)]
UserFactorServiceDep = Annotated[UserFactorService, Depends(get_user_factor_service)]
NO_MISSING_FACTOR = Depends(require_no_missing_factor)
FactorLoginServiceDep = Annotated[FactorLoginService, Depends(get_factor_login_service)]
