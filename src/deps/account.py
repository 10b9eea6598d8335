from typing import Annotated

from fastapi import Depends

from src.deps.database import ResourcesDep, UnitOfWorkDep
from src.services.account_deletion import AccountDeletionService
from src.services.account_export import AccountExportService


async def get_account_deletion_service(uow: UnitOfWorkDep, resources: ResourcesDep) -> AccountDeletionService:
    """The service by which users delete their account."""
    return AccountDeletionService(uow, resources)


async def get_account_export_service(uow: UnitOfWorkDep, resources: ResourcesDep) -> AccountExportService:
    """The service that writes the data of an account into a file."""
    return AccountExportService(uow, resources)


AccountDeletionServiceDep = Annotated[AccountDeletionService, Depends(get_account_deletion_service)]
AccountExportServiceDep = Annotated[AccountExportService, Depends(get_account_export_service)]
