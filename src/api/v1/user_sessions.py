"""The sessions of other users; those of the caller are at `/auth/sessions`, which needs no permission."""

from fastapi import APIRouter, Depends

from src.api.audited_route import AuditedRoute
from src.api.v1.auth import SessionId
from src.api.v1.errors import NOT_YOURS_TO_GRANT
from src.api.v1.users import NOT_FOUND, NOT_YOURS_TO_RULE, UserId
from src.core.exceptions import NotFoundError, raises
from src.core.security.acting import shown_id
from src.deps.permission import ActorDep, VerifyPermissionDep, require_permission
from src.deps.user import UserAdminServiceDep
from src.schemas.response import Response, ok
from src.schemas.session import SessionResponse

router = APIRouter(
    prefix="/users/{userId}/sessions",
    tags=["User"],
    route_class=AuditedRoute,
    dependencies=[Depends(require_permission)],
)


@router.get("")
@raises(NOT_FOUND, NOT_YOURS_TO_GRANT, NOT_YOURS_TO_RULE)
async def list_user_sessions(
    user_id: UserId, users: UserAdminServiceDep, actor: ActorDep, claims: VerifyPermissionDep
) -> Response[list[SessionResponse]]:
    """List a user's sessions, newest first."""
    current = shown_id(claims.session_id)
    rows = await users.list_sessions(user_id, actor)
    return ok([SessionResponse.model_validate({**row, "current": row["id"] == current}) for row in rows])


@router.delete("")
@raises(NOT_FOUND, NOT_YOURS_TO_GRANT, NOT_YOURS_TO_RULE)
async def end_user_sessions(user_id: UserId, users: UserAdminServiceDep, actor: ActorDep) -> Response[None]:
    """End all of a user's sessions."""
    await users.end_sessions(user_id, actor)
    return ok(None)


@router.delete("/{sessionId}")
@raises(NOT_FOUND, NotFoundError("Session not found."), NOT_YOURS_TO_GRANT, NOT_YOURS_TO_RULE)
async def end_user_session(
    user_id: UserId, session_id: SessionId, users: UserAdminServiceDep, actor: ActorDep
) -> Response[None]:
    """End one of a user's sessions."""
    await users.end_session(user_id, session_id, actor)
    return ok(None)
