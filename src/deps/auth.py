"""The caller: tokens, sessions and the current user. The same in REST handlers and socket events."""

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Header
from fastapi.security import OAuth2PasswordBearer
from starlette.requests import HTTPConnection

from src.core.exceptions import UnauthorizedError, raises
from src.core.resources import Resources
from src.core.routing.registry import RouteRegistry
from src.core.security.acting import impersonator_of
from src.core.security.actor import current_actor_id
from src.core.security.api_key import PREFIX
from src.core.security.token import AccessClaims, RefreshClaims
from src.crud.user import UserCRUD
from src.deps.database import ResourcesDep, UnitOfWorkDep
from src.deps.token_delivery import DEVICE_HEADER, FoundRefreshTokenDep
from src.models.user import User
from src.services.auth import AuthService
from src.services.client_tokens import ClientInfo
from src.services.login_only import WHILE_ACTING, login_required, own_login_required
from src.services.permission import PermissionService
from src.services.session import SessionService


class AccessToken(OAuth2PasswordBearer):
    """The bearer token of the request or of the Socket.IO connection, an access token or an API key.

    In Swagger UI, the Authorize button sets it.
    """

    async def __call__(self, request: HTTPConnection) -> str:
        """The token, not yet verified.

        Raises:
            UnauthorizedError: The token is missing.
        """
        token = await super().__call__(request)
        if not token:
            raise UnauthorizedError
        return token


LOGIN = "/api/v1/auth/login/swagger"
get_access_token = raises(UnauthorizedError)(AccessToken(tokenUrl=LOGIN, auto_error=False))
find_access_token = OAuth2PasswordBearer(tokenUrl=LOGIN, scheme_name=AccessToken.__name__, auto_error=False)


@raises(UnauthorizedError)
async def get_refresh_token(token: FoundRefreshTokenDep) -> str:
    """The refresh token of the `X-Refresh-Token` header, or of the cookie if that says so; not yet verified.

    Raises:
        UnauthorizedError: The header or the cookie is missing.
    """
    if not token:
        raise UnauthorizedError
    return token


async def get_user_agent(user_agent: Annotated[str, Header(include_in_schema=False)] = "") -> str:
    """The `User-Agent` header, empty if it is missing."""
    return user_agent


HeaderAccessTokenDep = Annotated[str, Depends(get_access_token)]
HeaderRefreshTokenDep = Annotated[str, Depends(get_refresh_token)]
HeaderUserAgentDep = Annotated[str, Depends(get_user_agent)]


async def get_client(connection: HTTPConnection, user_agent: HeaderUserAgentDep) -> ClientInfo:
    """The client's User-Agent and IP address.

    Behind a proxy, uvicorn takes the address from `X-Forwarded-For` if `FORWARDED_ALLOW_IPS` names the proxy.
    """
    return ClientInfo(user_agent, connection.client.host if connection.client else "")


async def get_session_service(resources: ResourcesDep) -> SessionService:
    """Login sessions."""
    return SessionService(resources)


ClientDep = Annotated[ClientInfo, Depends(get_client)]
SessionServiceDep = Annotated[SessionService, Depends(get_session_service)]


async def get_login_client(
    client: ClientDep,
    device: Annotated[str, Header(alias=DEVICE_HEADER, description="From the response to an earlier login.")] = "",
) -> ClientInfo:
    """The client of a login, with its device token."""
    return replace(client, device=device)


LoginClientDep = Annotated[ClientInfo, Depends(get_login_client)]


async def get_auth_service(uow: UnitOfWorkDep, resources: ResourcesDep, client: LoginClientDep) -> AuthService:
    """The service for logins and changes of the own password."""
    return AuthService(uow, resources, client)


async def get_auth_crud(uow: UnitOfWorkDep) -> UserCRUD:
    """Queries on users, in the request's unit of work."""
    return UserCRUD(uow.session)


AuthServiceDep = Annotated[AuthService, Depends(get_auth_service)]
AuthCrudDep = Annotated[UserCRUD, Depends(get_auth_crud)]


def read_claims(connection: HTTPConnection, token: str, resources: Resources) -> AccessClaims:
    """The claims of the access token, verified once per request, and once for all events of a Socket.IO connection.

    Raises:
        UnauthorizedError: The token is invalid or has expired.
    """
    state = connection.scope.setdefault("state", {})
    known: tuple[str, AccessClaims] | None = state.get("access")
    if known is None or known[0] != token or resources.tokens.seconds_left(known[1]) <= 0:
        known = state["access"] = token, resources.tokens.read_access(token)
    claims = known[1]
    set_actor(connection, claims.user_id)
    impersonator = impersonator_of(claims.session_id)
    if impersonator is not None:
        if not resources.settings.auth.act_as_enabled:  # it was, when the token was issued
            raise UnauthorizedError
        connection.state.acted_by = impersonator.user_id
    return claims


def set_actor(connection: HTTPConnection, user_id: UUID) -> None:
    """Note the authenticated user: for the logs, the audit log, and the tasks that are sent on their behalf."""
    connection.state.actor_id = user_id
    current_actor_id.set(user_id)


def is_api_key(token: str, resources: Resources) -> bool:
    """Whether the bearer token is an API key, and not an access token."""
    return token.startswith(PREFIX) and resources.settings.auth.api_keys_enabled


@raises(login_required(), own_login_required())
async def require_session(
    connection: HTTPConnection, token: HeaderAccessTokenDep, resources: ResourcesDep, sessions: SessionServiceDep
) -> AccessClaims:
    """The claims of a verified access token whose session is alive; needs no permission.

    Raises:
        UnauthorizedError: The token is invalid, its session has ended, or it is an API key.
        PermissionDeniedError: An administrator acts as the user, and the route is not in `WHILE_ACTING`.
    """
    if is_api_key(token, resources):
        raise login_required()
    claims = read_claims(connection, token, resources)
    impersonator = impersonator_of(claims.session_id)
    if impersonator is None:
        await sessions.require(claims)
        return claims
    registry: RouteRegistry = connection.app.state.registry
    if registry.find_code(connection.scope) not in WHILE_ACTING:
        raise own_login_required()
    await PermissionService(resources).require_acting(claims.user_id, claims.session_id, impersonator)
    return claims


async def read_refresh_token(
    connection: HTTPConnection, token: HeaderRefreshTokenDep, resources: ResourcesDep
) -> RefreshClaims:
    """The claims of a verified refresh token, which may have been used before."""
    claims = resources.tokens.read_refresh(token)
    set_actor(connection, claims.user_id)
    return claims


RefreshClaimsDep = Annotated[RefreshClaims, Depends(read_refresh_token)]


async def require_refresh(claims: RefreshClaimsDep, sessions: SessionServiceDep, client: ClientDep) -> RefreshClaims:
    """The claims of a verified refresh token whose session is alive and was started by this client."""
    await sessions.require_client(claims, client)
    return claims


UserAccessJWTDep = Annotated[AccessClaims, Depends(require_session)]
UserRefreshJWTDep = Annotated[RefreshClaims, Depends(require_refresh)]


async def get_current_user(claims: UserAccessJWTDep, users: AuthCrudDep) -> User:
    """The current user's row."""
    return await require_enabled(users, claims.user_id)


async def get_refresh_user(claims: UserRefreshJWTDep, users: AuthCrudDep) -> User:
    """The row of the user behind a live refresh session."""
    return await require_enabled(users, claims.user_id)


async def require_enabled(users: UserCRUD, user_id: UUID) -> User:
    """The row of a user who exists and is enabled.

    Raises:
        UnauthorizedError: The user was deleted or disabled.
    """
    user = await users.find(user_id)
    if user is None or not user.status:
        raise UnauthorizedError
    return user


UserDBDep = Annotated[User, Depends(get_current_user)]
UserRefreshDep = Annotated[User, Depends(get_refresh_user)]
