from typing import Annotated

from fastapi import Depends

from src.deps.database import ResourcesDep, UnitOfWorkDep
from src.services.account_deletion import AccountDeletionService


async def get_account_deletion_service(uow: UnitOfWorkDep, resources: ResourcesDep) -> AccountDeletionService:
    """The service by which users delete their account."""
    return AccountDeletionService(uow, resources)


AccountDeletionServiceDep = Annotated[AccountDeletionService, Depends(get_account_deletion_service)]
