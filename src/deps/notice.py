from typing import Annotated

from fastapi import Depends

from src.deps.database import ReadUnitOfWorkDep, UnitOfWorkDep
from src.services.notice import NoticeService


async def get_notice_service(uow: UnitOfWorkDep) -> NoticeService:
    """The service, on the unit of work of this request, event or task."""
    return NoticeService(uow)


NoticeServiceDep = Annotated[NoticeService, Depends(get_notice_service)]


async def get_notice_reader(uow: ReadUnitOfWorkDep) -> NoticeService:
    """Notices to look at: on the replica, where there is one."""
    return NoticeService(uow)


NoticeReaderDep = Annotated[NoticeService, Depends(get_notice_reader)]
