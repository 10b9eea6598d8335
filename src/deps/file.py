from typing import Annotated

from fastapi import Depends

from src.deps.database import ResourcesDep, UnitOfWorkDep
from src.services.file import FileService


async def get_file_service(uow: UnitOfWorkDep, resources: ResourcesDep) -> FileService:
    """Files, on the unit of work of this request, event or task."""
    return FileService(uow, resources)


FileServiceDep = Annotated[FileService, Depends(get_file_service)]
