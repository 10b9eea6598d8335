from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from src.core.exceptions import PermissionDeniedError
from src.core.routing.registry import RouteRegistry
from src.core.security.caller import caller_id
from src.core.security.token import AccessClaims
from src.deps.auth import HeaderAccessTokenDep, read_claims
from src.deps.database import ResourcesDep, UnitOfWorkDep
from src.services.actor import Actor
from src.services.permission import PermissionService
from src.services.permission_explanation import PermissionExplanationService


async def get_permission_service(resources: ResourcesDep) -> PermissionService:
    """Permission decisions."""
    return PermissionService(resources)


PermissionServiceDep = Annotated[PermissionService, Depends(get_permission_service)]


async def require_permission(
    connection: HTTPConnection, token: HeaderAccessTokenDep, resources: ResourcesDep
) -> AccessClaims:
    """The caller, after the code of this very route or event was found granted; one Redis round trip, no SQL."""
    claims = read_claims(connection, token, resources)
    registry: RouteRegistry = connection.app.state.registry
    code = registry.find_code(connection.scope)
    if code is None:
        raise PermissionDeniedError
    # Made here instead of by a dependency of its own: every guarded request pays for each of them.
    await PermissionService(resources).require(claims.user_id, claims.session_id, code)
    caller_id.set(claims.user_id)
    return claims


VerifyPermissionDep = Annotated[AccessClaims, Depends(require_permission)]


async def get_actor(claims: VerifyPermissionDep, permissions: PermissionServiceDep) -> Actor:
    """The caller with all the codes that they hold, read afresh: for decisions about what they may hand on."""
    return Actor(claims.user_id, await permissions.codes_of(claims.user_id))


ActorDep = Annotated[Actor, Depends(get_actor)]


async def get_permission_explanation_service(uow: UnitOfWorkDep) -> PermissionExplanationService:
    """Reasons for permission decisions."""
    return PermissionExplanationService(uow)


PermissionExplanationServiceDep = Annotated[PermissionExplanationService, Depends(get_permission_explanation_service)]
