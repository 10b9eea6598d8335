from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path

from src.api.route import AuditedRoute
from src.deps.notice import NoticeServiceDep
from src.deps.permission import require_permission
from src.schemas.notice import NoticeCreate, NoticeResponse
from src.schemas.response import Response, created, ok

router = APIRouter(
    prefix="/notices", tags=["Notice"], route_class=AuditedRoute, dependencies=[Depends(require_permission)]
)


@router.get("")
async def list_notices(notices: NoticeServiceDep) -> Response[list[NoticeResponse]]:
    """The newest published notices, 100 at most."""
    return ok([NoticeResponse.model_validate(notice) for notice in await notices.newest()])


@router.post("", status_code=201)
async def publish_notice(body: NoticeCreate, notices: NoticeServiceDep) -> Response[NoticeResponse]:
    """Publish a notice to everyone online."""
    return created(NoticeResponse.model_validate(await notices.publish(body)))


@router.get("/{noticeId}")
async def get_notice(
    notice_id: Annotated[UUID, Path(alias="noticeId")], notices: NoticeServiceDep
) -> Response[NoticeResponse]:
    """One notice."""
    return ok(NoticeResponse.model_validate(await notices.get(notice_id)))
