from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path
from fastapi import Response as HTTPResponse

from src.api.audited_route import AuditedRoute
from src.api.etag import SENDS_ETAG, IfMatchDep, set_etag
from src.api.v1.errors import CHANGED
from src.core.exceptions import NotFoundError, raises
from src.deps.notice import NoticeReaderDep, NoticeServiceDep
from src.deps.permission import VerifyPermissionDep, require_permission
from src.schemas.notice import NoticeCreate, NoticeResponse, NoticeUpdate
from src.schemas.response import Response, created, ok

router = APIRouter(
    prefix="/notices", tags=["Notice"], route_class=AuditedRoute, dependencies=[Depends(require_permission)]
)

NoticeId = Annotated[UUID, Path(alias="noticeId", description="Id of the notice.")]

NOT_FOUND = NotFoundError("Notice not found.")


@router.get("")
async def list_notices(notices: NoticeReaderDep) -> Response[list[NoticeResponse]]:
    """List the newest published notices, at most 100."""
    return ok([NoticeResponse.model_validate(notice) for notice in await notices.newest()])


@router.post("", status_code=201)
async def publish_notice(
    body: NoticeCreate, notices: NoticeServiceDep, claims: VerifyPermissionDep
) -> Response[NoticeResponse]:
    """Publish a notice to every connected client."""
    return created(NoticeResponse.model_validate(await notices.publish(body, claims.user_id)))


@router.get("/{noticeId}", responses=SENDS_ETAG)
@raises(NOT_FOUND)
async def get_notice(
    notice_id: NoticeId, notices: NoticeServiceDep, response: HTTPResponse
) -> Response[NoticeResponse]:
    """Get a notice, with its version as `ETag`."""
    notice = await notices.get(notice_id)
    set_etag(response, notice)
    return ok(NoticeResponse.model_validate(notice))


@router.patch("/{noticeId}", responses=SENDS_ETAG)
@raises(NOT_FOUND, CHANGED)
async def update_notice(
    notice_id: NoticeId,
    body: NoticeUpdate,
    notices: NoticeServiceDep,
    claims: VerifyPermissionDep,
    version: IfMatchDep,
    response: HTTPResponse,
) -> Response[NoticeResponse]:
    """Update a notice, if it still has the version in `If-Match`."""
    notice = await notices.update(notice_id, body, claims.user_id, version=version)
    set_etag(response, notice)
    return ok(NoticeResponse.model_validate(notice))
