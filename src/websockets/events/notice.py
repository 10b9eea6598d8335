from fastapi import Depends

from src.deps.notice import NoticeServiceDep
from src.deps.permission import require_permission
from src.schemas.notice import NoticeRef, NoticeResponse
from src.websockets.router import SocketRouter

router = SocketRouter(dependencies=[Depends(require_permission)])


@router.on("notice.get")
async def get_notice(data: NoticeRef, notices: NoticeServiceDep) -> NoticeResponse:
    """Acknowledge with the notice."""
    return NoticeResponse.model_validate(await notices.get(data.id))
