"""Second factors of the current user, the second step of a login, and step-up."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Path

from src.api.audited_route import AuditedRoute
from src.api.v1.auth import SENDS_DEVICE_TOKEN, THROTTLED, TOO_MANY_SESSIONS
from src.api.v1.errors import BUSY, LAST_LOGIN, WRONG_FACTOR, WRONG_PROOF
from src.core.exceptions import ConflictError, NotFoundError, raises
from src.core.oidc.errors import OidcFailedError
from src.deps.audit import AuditEntryDep
from src.deps.auth import UserAccessJWTDep, require_session
from src.deps.database import ResourcesDep
from src.deps.factor import FactorLoginServiceDep, FactorServiceDep
from src.deps.rate_limit import ANONYMOUS, account, rate_limit
from src.deps.recent import require_recent
from src.deps.token_delivery import TokenDeliveryDep
from src.schemas.auth import TokenResponse
from src.schemas.factor import (
    AccessTokenResponse,
    FactorConfirmed,
    FactorCreate,
    FactorLogin,
    FactorProof,
    FactorResponse,
    Reauthentication,
    RecoveryCodes,
    RecoveryCodesLeft,
    TotpEnrolment,
)
from src.schemas.factor_challenge import ProofOptions
from src.schemas.response import Response, created, ok
from src.services.factor_ticket import InvalidTicketError

router = APIRouter(prefix="/auth", tags=["Second factor"], route_class=AuditedRoute)

FactorCreateOrNothing = Annotated[FactorCreate, Body(default_factory=FactorCreate)]
FactorId = Annotated[UUID, Path(alias="factorId", description="Id of the factor.")]

# Of one user, who adds a factor now and then.
FACTORS_PER_ACCOUNT = rate_limit(100, per=account, window_seconds=900)
CHANGES_FACTORS = [Depends(require_session), require_recent(), FACTORS_PER_ACCOUNT]

NOT_FOUND = NotFoundError("Factor not found.")
TOO_MANY = ConflictError(
    "You have 20 factors, which is the limit: remove one.", error="factors.too_many", data={"limit": 20}
)
ALREADY_ADDED = ConflictError("Another factor has this credentialId.", data=[{"field": "credentialId"}])
LAST_ONE = ConflictError("You must have a factor: add another one first.", error="factors.last_one")
NONE = ConflictError("Add a factor first.", error="factors.none")


@router.get("/factors")
async def list_factors(claims: UserAccessJWTDep, factors: FactorServiceDep) -> Response[list[FactorResponse]]:
    """List the current user's second factors, oldest first."""
    return ok([FactorResponse.model_validate(factor) for factor in await factors.list_of(claims.user_id)])


@router.post("/factors/totp", status_code=201, dependencies=CHANGES_FACTORS)
async def add_totp(
    body: FactorCreateOrNothing, claims: UserAccessJWTDep, factors: FactorServiceDep
) -> Response[TotpEnrolment]:
    """Begin to add an authenticator app; it counts once it is confirmed."""
    return created(await factors.begin_totp(claims, body.name))


@router.post("/factors/{factorId}/confirm", dependencies=CHANGES_FACTORS)
@raises(NOT_FOUND, WRONG_PROOF, TOO_MANY, ALREADY_ADDED)
async def confirm_factor(
    factor_id: FactorId, body: FactorProof, claims: UserAccessJWTDep, factors: FactorServiceDep, entry: AuditEntryDep
) -> Response[FactorConfirmed]:
    """Add a factor by its first code, or by the passkey that the browser made; the first one brings recovery codes."""
    factor, codes = await factors.confirm(claims, factor_id, body)
    entry.details |= {"factor": factor.kind, "name": factor.name}
    return ok(FactorConfirmed(factor=FactorResponse.model_validate(factor), recovery_codes=codes))


@router.delete("/factors/{factorId}", dependencies=CHANGES_FACTORS)
@raises(NOT_FOUND, LAST_ONE, LAST_LOGIN)
async def remove_factor(
    factor_id: FactorId, claims: UserAccessJWTDep, factors: FactorServiceDep, entry: AuditEntryDep
) -> Response[None]:
    """Remove a factor, and with the last one the recovery codes."""
    factor = await factors.remove(claims.user_id, factor_id)
    entry.details |= {"factor": factor.kind, "name": factor.name}
    return ok(None)


@router.get("/factors/recovery-codes")
async def count_recovery_codes(claims: UserAccessJWTDep, factors: FactorServiceDep) -> Response[RecoveryCodesLeft]:
    """Count the recovery codes that the current user has left."""
    return ok(RecoveryCodesLeft(left=await factors.count_recovery_codes(claims.user_id)))


@router.post("/factors/recovery-codes", dependencies=CHANGES_FACTORS)
@raises(NONE)
async def renew_recovery_codes(claims: UserAccessJWTDep, factors: FactorServiceDep) -> Response[RecoveryCodes]:
    """Get ten new recovery codes; those before are void."""
    return ok(RecoveryCodes(recovery_codes=await factors.renew_recovery_codes(claims.user_id)))


@router.post("/login/factor", responses=SENDS_DEVICE_TOKEN, dependencies=[ANONYMOUS])
@raises(InvalidTicketError, WRONG_FACTOR, OidcFailedError, THROTTLED, TOO_MANY_SESSIONS)
async def login_with_factor(
    body: FactorLogin, logins: FactorLoginServiceDep, entry: AuditEntryDep, delivery: TokenDeliveryDep
) -> Response[TokenResponse]:
    """Finish a login that was answered with `auth.factor_required`."""
    return ok(delivery.hand_out(await logins.log_in(body, entry)))


@router.get("/reauthentication")
async def get_reauthentication_options(
    claims: UserAccessJWTDep, logins: FactorLoginServiceDep
) -> Response[ProofOptions]:
    """Get by what the current user can prove again who they are."""
    return ok(await logins.reauthentication_options(claims))


@router.post("/reauthentication", dependencies=[Depends(require_session), FACTORS_PER_ACCOUNT])
@raises(WRONG_PROOF, THROTTLED, BUSY)
async def reauthenticate(
    body: Reauthentication,
    claims: UserAccessJWTDep,
    logins: FactorLoginServiceDep,
    resources: ResourcesDep,
    entry: AuditEntryDep,
) -> Response[AccessTokenResponse]:
    """Prove again who the user is, for routes that answered `auth.recent_login_required`."""
    token = await logins.reauthenticate(claims, body, entry)
    return ok(AccessTokenResponse(access_token=token, expires_in=resources.settings.auth.access_seconds))
