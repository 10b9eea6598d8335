from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path
from fastapi import Response as HTTPResponse

from src.api.etag import CHECKS_ETAG, SHOWS_ETAG, IfMatchDep, show_version
from src.api.route import AuditedRoute
from src.deps.notice import NoticeReaderDep, NoticeServiceDep
from src.deps.permission import VerifyPermissionDep, require_permission
from src.schemas.notice import NoticeCreate, NoticeResponse, NoticeUpdate
from src.schemas.response import Response, created, ok

router = APIRouter(
    prefix="/notices", tags=["Notice"], route_class=AuditedRoute, dependencies=[Depends(require_permission)]
)

NoticeId = Annotated[UUID, Path(alias="noticeId")]


@router.get("")
async def list_notices(notices: NoticeReaderDep) -> Response[list[NoticeResponse]]:
    """The newest published notices, 100 at most."""
    return ok([NoticeResponse.model_validate(notice) for notice in await notices.newest()])


@router.post("", status_code=201)
async def publish_notice(
    body: NoticeCreate, notices: NoticeServiceDep, claims: VerifyPermissionDep
) -> Response[NoticeResponse]:
    """Publish a notice to everyone online."""
    return created(NoticeResponse.model_validate(await notices.publish(body, claims.user_id)))


@router.get("/{noticeId}", responses=SHOWS_ETAG)
async def get_notice(
    notice_id: NoticeId, notices: NoticeServiceDep, response: HTTPResponse
) -> Response[NoticeResponse]:
    """One notice, with its version as `ETag`."""
    notice = await notices.get(notice_id)
    show_version(response, notice)
    return ok(NoticeResponse.model_validate(notice))


@router.patch("/{noticeId}", responses=CHECKS_ETAG)
async def update_notice(
    notice_id: NoticeId,
    body: NoticeUpdate,
    notices: NoticeServiceDep,
    claims: VerifyPermissionDep,
    version: IfMatchDep,
    response: HTTPResponse,
) -> Response[NoticeResponse]:
    """Change a notice, unless somebody else changed it since the version of `If-Match`."""
    notice = await notices.update(notice_id, body, claims.user_id, version=version)
    show_version(response, notice)
    return ok(NoticeResponse.model_validate(notice))
