from typing import Annotated

from fastapi import Depends

from src.deps.database import UnitOfWorkDep
from src.services.notice import NoticeService


async def get_notice_service(uow: UnitOfWorkDep) -> NoticeService:
    """The service, on the unit of work of this request, event or task."""
    return NoticeService(uow)


NoticeServiceDep = Annotated[NoticeService, Depends(get_notice_service)]
