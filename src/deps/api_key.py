from typing import Annotated

from fastapi import Depends

from src.core.security.access import declare_permission
from src.deps.database import ResourcesDep, UnitOfWorkDep
from src.deps.permission import owner_or
from src.services.actor import OwnerScope
from src.services.api_key import ApiKeyService
from src.services.service_account import ServiceAccountService

MANAGE_API_KEYS = declare_permission(
    "api_keys.manage", "See and revoke everybody's API keys; make and rotate those of service accounts"
)
ApiKeyScopeDep = Annotated[OwnerScope, owner_or(MANAGE_API_KEYS)]


async def get_api_key_service(uow: UnitOfWorkDep, resources: ResourcesDep) -> ApiKeyService:
    """The service for API keys."""
    return ApiKeyService(uow, resources)


async def get_service_account_service(uow: UnitOfWorkDep, resources: ResourcesDep) -> ServiceAccountService:
    """The service for service accounts."""
    return ServiceAccountService(uow, resources)


ApiKeyServiceDep = Annotated[ApiKeyService, Depends(get_api_key_service)]
ServiceAccountServiceDep = Annotated[ServiceAccountService, Depends(get_service_account_service)]
