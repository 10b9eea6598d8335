"""Users delete their own account; these routes exist where `ACCOUNT_DELETION_DAYS` is set."""

from fastapi import APIRouter

from src.api.audited_route import AuditedRoute
from src.api.v1.auth import THROTTLED
from src.api.v1.errors import BAD_CIPHERTEXT, BUSY
from src.api.v1.users import LAST_ADMIN
from src.core.exceptions import BadRequestError, ConflictError, raises
from src.deps.account import AccountDeletionServiceDep
from src.deps.auth import AuthServiceDep, UserAccessJWTDep, UserDBDep
from src.deps.factor import NO_MISSING_FACTOR
from src.deps.logout import CLEARS_COOKIE
from src.deps.recent import require_recent
from src.schemas.account import DeletionRequest, DeletionResponse
from src.schemas.response import Response, ok

router = APIRouter(prefix="/auth/account/deletion", tags=["Auth"], route_class=AuditedRoute)

WRONG_PASSWORD = BadRequestError("The old password is wrong.", error="auth.wrong_password")


@router.post("", dependencies=[require_recent(), NO_MISSING_FACTOR, CLEARS_COOKIE])
@raises(WRONG_PASSWORD, BAD_CIPHERTEXT, THROTTLED, BUSY, LAST_ADMIN)
async def request_deletion(
    body: DeletionRequest,
    claims: UserAccessJWTDep,
    user: UserDBDep,
    auth: AuthServiceDep,
    accounts: AccountDeletionServiceDep,
) -> Response[DeletionResponse]:
    """Have the current user's account deleted after some days, and end all of their sessions."""
    if user.password_hash:  # those who only log in elsewhere have none
        await auth.require_password(claims, user, body.password or "", body.kid or "")
    return ok(DeletionResponse(due_at=await accounts.request(user)))


@router.post("/cancel")
@raises(ConflictError("The account is not to be deleted.", error="account.no_deletion"))
async def cancel_deletion(user: UserDBDep, accounts: AccountDeletionServiceDep) -> Response[None]:
    """Keep the current user's account, which was to be deleted."""
    await accounts.cancel(user)
    return ok(None)
