"""The second factors of other users; those of the caller are at `/auth/factors`, which needs no permission."""

from fastapi import APIRouter, Depends

from src.api.audited_route import AuditedRoute
from src.api.v1.errors import LAST_LOGIN, NOT_YOURS_TO_GRANT
from src.api.v1.users import NOT_FOUND, NOT_YOURS_TO_RULE, UserId
from src.core.exceptions import ConflictError, raises
from src.deps.audit import AuditEntryDep
from src.deps.factor import UserFactorServiceDep
from src.deps.permission import ActorDep, require_permission
from src.deps.recent import require_recent
from src.schemas.factor import FactorResponse
from src.schemas.response import Response, ok

router = APIRouter(
    prefix="/users/{userId}/factors",
    tags=["User"],
    route_class=AuditedRoute,
    dependencies=[Depends(require_permission)],
)

OWN = ConflictError("Remove your own factors at /auth/factors.", error="factors.own")


@router.get("")
@raises(NOT_FOUND, NOT_YOURS_TO_GRANT, NOT_YOURS_TO_RULE)
async def list_user_factors(
    user_id: UserId, users: UserFactorServiceDep, actor: ActorDep
) -> Response[list[FactorResponse]]:
    """List a user's second factors, oldest first."""
    return ok([FactorResponse.model_validate(factor) for factor in await users.list_factors(user_id, actor)])


@router.delete("", dependencies=[require_recent()])
@raises(OWN, LAST_LOGIN, NOT_FOUND, NOT_YOURS_TO_GRANT, NOT_YOURS_TO_RULE)
async def remove_user_factors(
    user_id: UserId, users: UserFactorServiceDep, actor: ActorDep, entry: AuditEntryDep
) -> Response[None]:
    """Remove all second factors of a user who has lost theirs, and end all of their sessions."""
    entry.details["username"] = (await users.remove_factors(user_id, actor)).username
    return ok(None)
