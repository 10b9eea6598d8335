from typing import Annotated

from fastapi import Depends

from src.core.security.access import declare_permission
from src.deps.database import ResourcesDep, UnitOfWorkDep
from src.deps.permission import owner_or
from src.services.actor import OwnerScope
from src.services.file import FileService
from src.services.file_reconciliation import FileReconciliation
from src.services.file_sweep import FileSweep
from src.services.upload import UploadService

MANAGE_FILES = declare_permission("files.manage", "See, complete and delete everybody's files")
FileScopeDep = Annotated[OwnerScope, owner_or(MANAGE_FILES)]


async def get_file_service(uow: UnitOfWorkDep, resources: ResourcesDep) -> FileService:
    """The service for files."""
    return FileService(uow, resources)


async def get_upload_service(uow: UnitOfWorkDep, resources: ResourcesDep) -> UploadService:
    """The service for uploads."""
    return UploadService(uow, resources)


async def get_file_sweep(uow: UnitOfWorkDep, resources: ResourcesDep) -> FileSweep:
    """The service that deletes expired uploads and deleted files."""
    return FileSweep(uow, resources)


async def get_file_reconciliation(uow: UnitOfWorkDep, resources: ResourcesDep) -> FileReconciliation:
    """The service that repairs differences between table and storage."""
    return FileReconciliation(uow, resources)


FileServiceDep = Annotated[FileService, Depends(get_file_service)]
UploadServiceDep = Annotated[UploadService, Depends(get_upload_service)]
FileSweepDep = Annotated[FileSweep, Depends(get_file_sweep)]
FileReconciliationDep = Annotated[FileReconciliation, Depends(get_file_reconciliation)]
