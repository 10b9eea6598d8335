from typing import Annotated

from fastapi import Depends

from src.deps.database import ReadUnitOfWorkDep, UnitOfWorkDep
from src.services.notice import NoticeService


async def get_notice_service(uow: UnitOfWorkDep) -> NoticeService:
    """The service for notices, in the unit of work of this request, event or task."""
    return NoticeService(uow)


NoticeServiceDep = Annotated[NoticeService, Depends(get_notice_service)]


async def get_notice_reader(uow: ReadUnitOfWorkDep) -> NoticeService:
    """The service for reading notices, on the replica if there is one."""
    return NoticeService(uow)


NoticeReaderDep = Annotated[NoticeService, Depends(get_notice_reader)]
