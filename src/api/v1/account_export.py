"""Users get the data of their account; these routes exist where `ACCOUNT_EXPORT_DAYS` is set."""

from fastapi import APIRouter, Depends

from src.api.audited_route import AuditedRoute
from src.core.exceptions import NotFoundError, raises
from src.deps.account import AccountExportServiceDep
from src.deps.auth import UserAccessJWTDep, require_session
from src.deps.factor import NO_MISSING_FACTOR
from src.deps.file import FileServiceDep
from src.deps.rate_limit import account, rate_limit
from src.deps.recent import require_recent
from src.schemas.account import ExportRequested, ExportResponse
from src.schemas.response import Response, ok

router = APIRouter(
    prefix="/auth/account/export",
    tags=["Auth"],
    route_class=AuditedRoute,
    dependencies=[require_recent(), NO_MISSING_FACTOR],
)

ONCE_A_DAY = rate_limit(1, per=account, window_seconds=86_400)


@router.post("", dependencies=[Depends(require_session), ONCE_A_DAY])
async def request_export(claims: UserAccessJWTDep, exports: AccountExportServiceDep) -> Response[ExportRequested]:
    """Have the data of the current user written into a file, once a day at most."""
    return ok(ExportRequested(task_id=exports.request(claims.user_id)))


@router.get("")
@raises(NotFoundError("There is no export.", error="account.no_export"))
async def get_export(
    claims: UserAccessJWTDep, exports: AccountExportServiceDep, files: FileServiceDep
) -> Response[ExportResponse]:
    """Get the current user's newest export, with a URL to download it."""
    file = await exports.latest(claims.user_id)
    fields = {name: getattr(file, name) for name in ExportResponse.model_fields if name != "download_url"}
    return ok(ExportResponse(**fields, download_url=await files.download_url(file)))
