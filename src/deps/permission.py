from typing import Annotated, Any

from fastapi import Depends
from starlette.requests import HTTPConnection

from src.core.exceptions import PermissionDeniedError, raises
from src.core.routing.registry import RouteRegistry
from src.core.security.access import DECLARED
from src.core.security.token import AccessClaims
from src.deps.api_key_claims import read_key_claims
from src.deps.auth import HeaderAccessTokenDep, is_api_key, read_claims
from src.deps.database import ResourcesDep, UnitOfWorkDep
from src.services.actor import Actor, OwnerScope
from src.services.permission import PermissionService
from src.services.permission_explanation import PermissionExplanationService


async def get_permission_service(resources: ResourcesDep) -> PermissionService:
    """The service that decides what users may do."""
    return PermissionService(resources)


PermissionServiceDep = Annotated[PermissionService, Depends(get_permission_service)]


@raises(PermissionDeniedError)
async def require_permission(
    connection: HTTPConnection, token: HeaderAccessTokenDep, resources: ResourcesDep
) -> AccessClaims:
    """The caller, who holds the permission code of this route or event.

    One Redis round trip, and no SQL if the codes are cached.

    Raises:
        UnauthorizedError: The access token is invalid or its session has ended, or the API key is unknown or has ended.
        TooManyRequestsError: Too many unknown API keys were sent from this address.
        PermissionDeniedError: The caller does not hold the code.
    """
    if is_api_key(token, resources):
        claims = await read_key_claims(connection, token, resources)
    else:
        claims = read_claims(connection, token, resources)
    registry: RouteRegistry = connection.app.state.registry
    code = registry.find_code(connection.scope)
    if code is None:
        raise PermissionDeniedError
    # Not a dependency, because each one adds to the cost of every guarded request.
    await PermissionService(resources).require(claims.user_id, claims.session_id, code)
    return claims


VerifyPermissionDep = Annotated[AccessClaims, Depends(require_permission)]


async def get_actor(claims: VerifyPermissionDep, permissions: PermissionServiceDep) -> Actor:
    """The caller with their permission codes, read from SQL: for decisions that depend on what the caller holds."""
    return await permissions.get_actor(claims.user_id, claims.session_id)


ActorDep = Annotated[Actor, Depends(get_actor)]


def owner_or(code: str) -> Any:
    """A dependency on the caller's `OwnerScope`: their own rows, or everybody's if they hold the code.

    The code needs `declare_permission`; the route or event is guarded by its own code as well.

    InvoiceScopeDep = Annotated[OwnerScope, owner_or(MANAGE_INVOICES)]

    Raises:
        ValueError: The code is not declared.
    """
    if code not in DECLARED:
        raise ValueError(f"{code} is not declared: roles could not grant it.")

    async def get_scope(claims: VerifyPermissionDep, permissions: PermissionServiceDep) -> OwnerScope:
        return OwnerScope(claims.user_id, await permissions.holds(claims.user_id, claims.session_id, code))

    return Depends(get_scope)


async def get_permission_explanation_service(
    uow: UnitOfWorkDep, permissions: PermissionServiceDep
) -> PermissionExplanationService:
    """The service that explains permission decisions."""
    return PermissionExplanationService(uow, factor_required=permissions.factor_required)


PermissionExplanationServiceDep = Annotated[PermissionExplanationService, Depends(get_permission_explanation_service)]
