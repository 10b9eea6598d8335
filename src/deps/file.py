from typing import Annotated

from fastapi import Depends

from src.deps.database import ResourcesDep, UnitOfWorkDep
from src.services.file import FileService
from src.services.file_reconciliation import FileReconciliation
from src.services.file_sweep import FileSweep
from src.services.upload import UploadService


async def get_file_service(uow: UnitOfWorkDep, resources: ResourcesDep) -> FileService:
    """Files, on the unit of work of this request, event or task."""
    return FileService(uow, resources)


async def get_upload_service(uow: UnitOfWorkDep, resources: ResourcesDep) -> UploadService:
    """Uploads."""
    return UploadService(uow, resources)


async def get_file_sweep(uow: UnitOfWorkDep, resources: ResourcesDep) -> FileSweep:
    """The end of uploads that nobody completed, and of deleted files."""
    return FileSweep(uow, resources)


async def get_file_reconciliation(uow: UnitOfWorkDep, resources: ResourcesDep) -> FileReconciliation:
    """The comparison of table and storage."""
    return FileReconciliation(uow, resources)


FileServiceDep = Annotated[FileService, Depends(get_file_service)]
UploadServiceDep = Annotated[UploadService, Depends(get_upload_service)]
FileSweepDep = Annotated[FileSweep, Depends(get_file_sweep)]
FileReconciliationDep = Annotated[FileReconciliation, Depends(get_file_reconciliation)]
