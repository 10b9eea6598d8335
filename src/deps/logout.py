"""Who ends sessions, and the cookie of the refresh token that goes with them."""

from typing import Annotated

from fastapi import Depends, Response
from starlette.requests import HTTPConnection

from src.core.exceptions import UnauthorizedError, raises
from src.core.security.acting import impersonator_of
from src.core.security.token import AccessClaims, RefreshClaims
from src.deps.auth import (
    ClientDep,
    SessionServiceDep,
    UserAccessJWTDep,
    find_access_token,
    read_refresh_token,
    require_refresh,
    require_session,
)
from src.deps.database import ResourcesDep
from src.deps.token_delivery import FoundRefreshTokenDep, delete_cookie
from src.services.login_only import login_required, own_login_required


async def clear_cookie(
    connection: HTTPConnection, response: Response, resources: ResourcesDep, claims: UserAccessJWTDep
) -> None:
    """Delete the cookie of the refresh token; while an administrator acts as the user, it is the administrator's."""
    if impersonator_of(claims.session_id) is None:
        delete_cookie(connection, response, resources.settings)


CLEARS_COOKIE = Depends(clear_cookie)


@raises(UnauthorizedError, login_required(), own_login_required())
async def require_own_session(
    connection: HTTPConnection,
    response: Response,
    resources: ResourcesDep,
    sessions: SessionServiceDep,
    client: ClientDep,
    token: Annotated[str | None, Depends(find_access_token)],
    refresh_token: FoundRefreshTokenDep,
) -> AccessClaims | RefreshClaims:
    """The claims of the session that a logout ends, whose cookie is deleted.

    It is found by the refresh token if the request has one: a page whose access token has expired can end its session
    without another token pair. Else by the access token.

    Raises:
        UnauthorizedError: The token is missing or invalid, or its session has ended.
        PermissionDeniedError: As of `require_session`.
    """
    if refresh_token:
        claims = await read_refresh_token(connection, refresh_token, resources)
        await require_refresh(claims, sessions, client)
        delete_cookie(connection, response, resources.settings)
        return claims
    if not token:
        raise UnauthorizedError
    own = await require_session(connection, token, resources, sessions)
    await clear_cookie(connection, response, resources, own)
    return own


OwnSessionDep = Annotated[AccessClaims | RefreshClaims, Depends(require_own_session)]
