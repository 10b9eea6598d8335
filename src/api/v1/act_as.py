"""Administrators who act as a user; the route exists where `ACT_AS_ENABLED` is set."""

from fastapi import APIRouter, Depends

from src.api.audited_route import AuditedRoute
from src.api.v1.auth import TOO_MANY_SESSIONS
from src.api.v1.errors import NOT_YOURS_TO_GRANT
from src.api.v1.users import NOT_FOUND, NOT_YOURS_TO_RULE, SERVICE_ACCOUNT, UserId
from src.core.exceptions import ConflictError, PermissionDeniedError, raises
from src.deps.auth import ClientDep
from src.deps.impersonation import ImpersonationServiceDep
from src.deps.permission import ActorDep, VerifyPermissionDep, require_permission
from src.deps.recent import require_recent
from src.schemas.response import Response, ok
from src.schemas.session import ActAsResponse

router = APIRouter(prefix="/users", tags=["User"], route_class=AuditedRoute, dependencies=[Depends(require_permission)])

NOT_YOURS_TO_ACT_AS = PermissionDeniedError(
    "You can only act as users who hold less than you.", error="auth.not_yours_to_act_as"
)
DISABLED = ConflictError("The user is disabled.", error="user.disabled")


@router.post("/{userId}/act-as", dependencies=[require_recent()])
@raises(
    NOT_FOUND,
    NOT_YOURS_TO_GRANT,
    NOT_YOURS_TO_RULE,
    NOT_YOURS_TO_ACT_AS,
    SERVICE_ACCOUNT,
    DISABLED,
    TOO_MANY_SESSIONS,
)
async def act_as_user(
    user_id: UserId,
    impersonation: ImpersonationServiceDep,
    actor: ActorDep,
    claims: VerifyPermissionDep,
    client: ClientDep,
) -> Response[ActAsResponse]:
    """Act as a user for 15 minutes at most; the user is told, and each entry of the audit log says so."""
    return ok(ActAsResponse.model_validate(await impersonation.start(user_id, actor, claims, client)))
