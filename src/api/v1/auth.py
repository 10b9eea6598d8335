from typing import Annotated, Any

from fastapi import APIRouter, Form, Path

from src.api.audited_route import AuditedRoute
from src.api.response_headers import described
from src.api.v1.errors import BAD_CIPHERTEXT, BUSY, TAKEN, WRONG_FACTOR
from src.core.exceptions import (
    BadRequestError,
    ConflictError,
    NotFoundError,
    TooManyRequestsError,
    UnauthorizedError,
    raises,
)
from src.core.security.acting import shown_id
from src.crud.user import UserCRUD
from src.deps.audit import AuditEntryDep
from src.deps.auth import (
    AuthServiceDep,
    ClientDep,
    HeaderRefreshTokenDep,
    RefreshClaimsDep,
    SessionServiceDep,
    UserAccessJWTDep,
    require_enabled,
)
from src.deps.database import ResourcesDep, UnitOfWorkDep
from src.deps.language import LanguageDep
from src.deps.logout import CLEARS_COOKIE, OwnSessionDep
from src.deps.rate_limit import ANONYMOUS
from src.deps.token_delivery import DEVICE_HEADER, TokenDeliveryDep
from src.deps.user import ProfileServiceDep, UserServiceDep
from src.schemas.auth import (
    LoginRequest,
    PublicKeyResponse,
    SwaggerLoginRequest,
    SwaggerTokenResponse,
    TokenResponse,
    UserInfoResponse,
)
from src.schemas.base import SafeStr
from src.schemas.factor_challenge import FactorChallenge
from src.schemas.response import Response, created, ok
from src.schemas.session import SessionResponse
from src.schemas.user import PasswordChange, RegisterRequest, UserResponse
from src.services.sign_in import FactorRequiredError

router = APIRouter(prefix="/auth", tags=["Auth"], route_class=AuditedRoute)
swagger_router = APIRouter(prefix="/auth", tags=["Auth"], route_class=AuditedRoute)
registration_router = APIRouter(prefix="/auth", tags=["Auth"], route_class=AuditedRoute)

SessionId = Annotated[
    SafeStr,
    Path(alias="sessionId", max_length=128, description="Id of the session.", examples=["q1w2e3r4t5y6u7i8o9p0"]),
]

WRONG = UnauthorizedError("Wrong username or password.", error="auth.invalid_credentials")
SENDS_DEVICE_TOKEN: dict[int | str, dict[str, Any]] = {200: {"headers": described(DEVICE_HEADER)}}
TOO_MANY_SESSIONS = ConflictError(
    "You have 5000 sessions, which is the limit: end some.", error="auth.too_many_sessions", data={"limit": 5000}
)
THROTTLED = TooManyRequestsError(900, error="auth.throttled")
FACTOR_REQUIRED = FactorRequiredError(FactorChallenge.model_validate(FactorChallenge.EXAMPLE))


# Without a rate limit: it touches no store, and counting would cost more than it.
@router.get("/keys/public")
async def get_public_key(auth: AuthServiceDep) -> Response[PublicKeyResponse]:
    """Get the public key and a single-use challenge, to encrypt a password with."""
    return ok(auth.public_key())


@router.post("/login", responses=SENDS_DEVICE_TOKEN, dependencies=[ANONYMOUS])
@raises(WRONG, FACTOR_REQUIRED, THROTTLED, BUSY, TOO_MANY_SESSIONS)
async def login(
    body: LoginRequest, auth: AuthServiceDep, entry: AuditEntryDep, delivery: TokenDeliveryDep
) -> Response[TokenResponse]:
    """Log in with a username and an encrypted password."""
    return ok(delivery.hand_out(await auth.login(body.username, body.password, body.kid, entry)))


@swagger_router.post("/login/swagger", dependencies=[ANONYMOUS])
@raises(WRONG, FACTOR_REQUIRED, WRONG_FACTOR, THROTTLED, BUSY, TOO_MANY_SESSIONS)
async def login_swagger(
    form: Annotated[SwaggerLoginRequest, Form()], auth: AuthServiceDep, entry: AuditEntryDep
) -> SwaggerTokenResponse:
    """Log in with the Authorize button of Swagger UI; only in debug environments.

    Users who have a second factor type its code as `client_secret`, and choose that credentials are in the body.
    """
    pair = await auth.login_with_password(form.username, form.password, entry, form.client_secret)
    return SwaggerTokenResponse(access_token=pair.access_token)


# The rate limit is in `router.py`.
@registration_router.post("/register", status_code=201)
@raises(TAKEN, BAD_CIPHERTEXT, BUSY)
async def register(body: RegisterRequest, users: UserServiceDep, language: LanguageDep) -> Response[UserResponse]:
    """Register an account without roles; only if registration is enabled."""
    user = await users.register(body, language)
    return created(UserResponse.model_validate({**user.model_dump(), "roles": []}))


@router.post("/token/refresh", dependencies=[ANONYMOUS])
async def refresh(
    claims: RefreshClaimsDep,
    token: HeaderRefreshTokenDep,
    client: ClientDep,
    sessions: SessionServiceDep,
    resources: ResourcesDep,
    uow: UnitOfWorkDep,
    delivery: TokenDeliveryDep,
) -> Response[TokenResponse]:
    """Exchange a single-use refresh token for a new token pair."""
    # Before the exchange, so that a disabled user's token is not used up; its connection is released first.
    async with resources.sessions() as session:
        await require_enabled(UserCRUD(session), claims.user_id)
    return ok(delivery.hand_out(await sessions.refresh(uow, claims, token, client)))


@router.post("/logout")
async def logout(claims: OwnSessionDep, sessions: SessionServiceDep) -> Response[None]:
    """Log out: end the session of the refresh token if one is sent, else that of the access token."""
    await sessions.end_one(claims.user_id, claims.session_id)
    return ok(None)


@router.post("/logout/all", dependencies=[CLEARS_COOKIE])
async def logout_everywhere(claims: UserAccessJWTDep, sessions: SessionServiceDep) -> Response[None]:
    """Log out everywhere: end all of the current user's sessions."""
    await sessions.end_all(claims.user_id)
    return ok(None)


@router.get("/sessions")
async def list_sessions(claims: UserAccessJWTDep, sessions: SessionServiceDep) -> Response[list[SessionResponse]]:
    """List the current user's sessions, newest first."""
    current = shown_id(claims.session_id)
    rows = await sessions.list(claims.user_id)
    return ok([SessionResponse.model_validate({**row, "current": row["id"] == current}) for row in rows])


@router.delete("/sessions/{sessionId}")
@raises(NotFoundError("Session not found."))
async def end_session(session_id: SessionId, claims: UserAccessJWTDep, sessions: SessionServiceDep) -> Response[None]:
    """End one of the current user's sessions."""
    if not await sessions.end_one(claims.user_id, session_id):
        raise NotFoundError("Session not found.")
    return ok(None)


@router.put("/password")
@raises(BadRequestError("The old password is wrong.", error="auth.wrong_password"), BAD_CIPHERTEXT, THROTTLED, BUSY)
async def change_password(body: PasswordChange, claims: UserAccessJWTDep, auth: AuthServiceDep) -> Response[None]:
    """Change the current user's password, and end their other sessions."""
    await auth.change_password(claims, body.old_password, body.new_password, body.kid)
    return ok(None)


@router.get("/user/info")
async def get_user_info(
    claims: UserAccessJWTDep, profiles: ProfileServiceDep, sessions: SessionServiceDep
) -> Response[UserInfoResponse]:
    """Get the current user, their roles and UI permissions."""
    info = await profiles.get(claims.user_id)
    info.acted_by = await sessions.acted_by(claims)
    return ok(info)
