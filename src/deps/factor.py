from typing import Annotated

from fastapi import Depends

from src.deps.auth import LoginClientDep
from src.deps.database import ResourcesDep, UnitOfWorkDep
from src.services.factor import FactorService
from src.services.factor_login import FactorLoginService


async def get_factor_service(uow: UnitOfWorkDep, resources: ResourcesDep) -> FactorService:
    """The service for the second factors of the current user."""
    return FactorService(uow, resources)


async def get_factor_login_service(
    uow: UnitOfWorkDep, resources: ResourcesDep, client: LoginClientDep
) -> FactorLoginService:
    """The service for logins with a second factor or a passkey, and for step-up."""
    return FactorLoginService(uow, resources, client)


FactorServiceDep = Annotated[FactorService, Depends(get_factor_service)]
FactorLoginServiceDep = Annotated[FactorLoginService, Depends(get_factor_login_service)]
