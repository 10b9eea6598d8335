from fastapi import Depends

from src.core.exceptions import NotFoundError, raises
from src.deps.notice import NoticeServiceDep
from src.deps.permission import require_permission
from src.schemas.notice import NoticeRef, NoticeResponse
from src.websockets.router import SocketRouter

router = SocketRouter(dependencies=[Depends(require_permission)])


@router.on("notice.get")
@raises(NotFoundError("Notice not found."))
async def get_notice(data: NoticeRef, notices: NoticeServiceDep) -> NoticeResponse:
    """Acknowledge with the notice."""
    return NoticeResponse.model_validate(await notices.get(data.id))
