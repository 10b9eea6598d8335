"""Passkeys of the current user, and logins with them."""

from fastapi import APIRouter

from src.api.audited_route import AuditedRoute
from src.api.v1.auth import SENDS_DEVICE_TOKEN, THROTTLED, TOO_MANY_SESSIONS, WRONG
from src.api.v1.factors import CHANGES_FACTORS, FactorCreateOrNothing
from src.core.exceptions import raises
from src.deps.audit import AuditEntryDep
from src.deps.auth import UserAccessJWTDep
from src.deps.factor import FactorLoginServiceDep, FactorServiceDep
from src.deps.rate_limit import ANONYMOUS
from src.deps.token_delivery import TokenDeliveryDep
from src.schemas.auth import TokenResponse
from src.schemas.factor import PasskeyEnrolment, PasskeyLogin, PasskeyLoginOptions
from src.schemas.response import Response, created, ok

router = APIRouter(prefix="/auth", tags=["Second factor"], route_class=AuditedRoute)


@router.post("/factors/passkey", status_code=201, dependencies=CHANGES_FACTORS)
async def add_passkey(
    body: FactorCreateOrNothing, claims: UserAccessJWTDep, factors: FactorServiceDep
) -> Response[PasskeyEnrolment]:
    """Begin to add a passkey; it counts once it is confirmed."""
    return created(await factors.begin_passkey(claims, body.name))


@router.post("/login/passkey/options", dependencies=[ANONYMOUS])
async def get_passkey_login_options(logins: FactorLoginServiceDep) -> Response[PasskeyLoginOptions]:
    """Get what a browser needs to log in with a passkey, without a username or password."""
    return ok(await logins.passkey_options())


@router.post("/login/passkey", responses=SENDS_DEVICE_TOKEN, dependencies=[ANONYMOUS])
@raises(WRONG, THROTTLED, TOO_MANY_SESSIONS)
async def login_with_passkey(
    body: PasskeyLogin, logins: FactorLoginServiceDep, entry: AuditEntryDep, delivery: TokenDeliveryDep
) -> Response[TokenResponse]:
    """Log in with a passkey, without a username or password."""
    return ok(delivery.hand_out(await logins.log_in_with_passkey(body.credential, entry)))
