"""Login with OpenID providers; these routes exist where some are configured."""

from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Form, Path, Query
from fastapi import Response as HTTPResponse
from starlette.responses import RedirectResponse

from src.api.audited_route import AuditedRoute
from src.api.v1.auth import FACTOR_REQUIRED, SENDS_DEVICE_TOKEN, THROTTLED, TOO_MANY_SESSIONS
from src.api.v1.errors import CONFLICT, LAST_LOGIN
from src.core.exceptions import AppError, ConflictError, NotFoundError, UnauthorizedError, raises
from src.core.oidc.errors import (
    OidcDeniedError,
    OidcFailedError,
    OidcNotLinkedError,
    OidcStateError,
    OidcUnavailableError,
)
from src.core.resources import Resources
from src.crud.oidc_flow import STATE_SECONDS
from src.deps.audit import AuditEntryDep
from src.deps.auth import UserAccessJWTDep, require_session
from src.deps.database import ResourcesDep
from src.deps.factor import NO_MISSING_FACTOR
from src.deps.language import LanguageDep
from src.deps.oidc import (
    BrowserDep,
    IdentityServiceDep,
    OidcLogoutServiceDep,
    OidcServiceDep,
    OidcSignInServiceDep,
    ProviderName,
    cookie_of,
)
from src.deps.rate_limit import ANONYMOUS, account, address, rate_limit
from src.deps.recent import require_recent
from src.deps.token_delivery import TokenDeliveryDep
from src.models.linked_identity import LinkedIdentity
from src.schemas.auth import TokenResponse
from src.schemas.oidc import (
    LinkedIdentityResponse,
    LogoutTokenForm,
    OidcAnswer,
    OidcCodeExchange,
    OidcLink,
    OidcProviderResponse,
    OidcStart,
)
from src.schemas.response import Response, created, ok
from src.services.oidc_logout import InvalidLogoutError

router = APIRouter(prefix="/auth", tags=["Auth"], route_class=AuditedRoute)

IdentityId = Annotated[UUID, Path(alias="identityId", description="Id of the identity.")]

# Of one address, for routes that contact a provider: an office may share one.
LOGINS = rate_limit(600, per=address)
LINKS = rate_limit(30, per=account, window_seconds=900)
CHANGES_IDENTITIES = [Depends(require_session), require_recent(), NO_MISSING_FACTOR, LINKS]
TAKEN = ConflictError("This identity is linked to another account.", error="auth.oidc_taken")
REFUSED = OidcFailedError, OidcDeniedError, OidcNotLinkedError, OidcStateError, OidcUnavailableError

LOCATION = {"Location": {"description": "Where the browser goes next.", "schema": {"type": "string"}}}
TO_PROVIDER: dict[int | str, dict[str, Any]] = {
    302: {"description": "To the page of the provider", "headers": LOCATION}
}
FINISHED: dict[int | str, dict[str, Any]] = {
    **SENDS_DEVICE_TOKEN,
    201: {"description": "The identity is linked", "model": Response[LinkedIdentityResponse]},
    303: {"description": "To the frontend, if one is configured", "headers": LOCATION},
}


# Without a rate limit: it touches no store, and counting would cost more than it.
@router.get("/oidc")
async def list_providers(resources: ResourcesDep) -> Response[list[OidcProviderResponse]]:
    """List the providers that people may log in with, in the order of the settings."""
    providers = resources.settings.oidc.providers.items()
    return ok([OidcProviderResponse(name=name, display_name=each.display_name or name) for name, each in providers])


@router.get(
    "/oidc/{provider}/start", status_code=302, response_class=HTTPResponse, responses=TO_PROVIDER, dependencies=[LOGINS]
)
@raises(OidcUnavailableError)
async def start_login(
    query: Annotated[OidcStart, Query()], provider: ProviderName, oidc: OidcServiceDep, resources: ResourcesDep
) -> HTTPResponse:
    """Send the browser to a provider, to log in there."""
    url, browser = await oidc.start(query.code_challenge, fresh=query.fresh)
    response = RedirectResponse(url, 302)
    set_cookie(response, provider, browser, resources)
    return response


@router.get(
    "/oidc/{provider}/callback",
    response_model=Response[TokenResponse],
    responses=FINISHED,
    dependencies=[LOGINS],
)
@raises(*REFUSED, UnauthorizedError, FACTOR_REQUIRED, TAKEN, CONFLICT, THROTTLED, TOO_MANY_SESSIONS)
async def finish_login(
    answer: Annotated[OidcAnswer, Query()],
    browser: BrowserDep,
    oidc: OidcServiceDep,
    sign_in: OidcSignInServiceDep,
    language: LanguageDep,
    entry: AuditEntryDep,
    resources: ResourcesDep,
    delivery: TokenDeliveryDep,
) -> Response[TokenResponse] | HTTPResponse:
    """End a login or linking: a provider sends the browser here, which goes on to the frontend, if one is configured.

    The URL of the frontend gets `#code=…&provider=…` for `POST /auth/login/oidc`, or `#linked=…`, or `#error=…`.
    """
    page, name = resources.settings.oidc.frontend_url, oidc.provider.name
    try:
        result = await oidc.finish(answer, browser, language, entry)
        if isinstance(result, LinkedIdentity):
            entry.target["identityId"] = str(result.id)
            if page:
                return redirect(page, linked=name)
            linked = created(LinkedIdentityResponse.model_validate(result))
            return HTTPResponse(linked.model_dump_json(by_alias=True), 201, media_type="application/json")
        if page:
            return redirect(page, code=await sign_in.keep(result), provider=name)
        pair = await sign_in.start(result, entry)
    except AppError as error:
        show_at(page, error)
        raise
    return ok(delivery.hand_out(pair))


@router.post("/login/oidc", responses=SENDS_DEVICE_TOKEN, dependencies=[LOGINS])
@raises(OidcStateError, OidcFailedError, UnauthorizedError, FACTOR_REQUIRED, THROTTLED, TOO_MANY_SESSIONS)
async def login_with_code(
    body: OidcCodeExchange, sign_in: OidcSignInServiceDep, entry: AuditEntryDep, delivery: TokenDeliveryDep
) -> Response[TokenResponse]:
    """Get the tokens of a login with a provider, for the code that the frontend was called with."""
    return ok(delivery.hand_out(await sign_in.exchange(body.code, body.code_verifier, entry)))


@router.post("/oidc/{provider}/link", dependencies=CHANGES_IDENTITIES)
@raises(OidcUnavailableError)
async def link_identity(
    provider: ProviderName,
    claims: UserAccessJWTDep,
    oidc: OidcServiceDep,
    resources: ResourcesDep,
    response: HTTPResponse,
) -> Response[OidcLink]:
    """Start linking an identity at a provider to the current user, who may then log in with it."""
    url, browser = await oidc.start(claims=claims)
    set_cookie(response, provider, browser, resources)
    return ok(OidcLink(url=url))


@router.post("/oidc/{provider}/backchannel-logout", dependencies=[ANONYMOUS])
@raises(InvalidLogoutError, OidcUnavailableError)
async def log_out_by_provider(
    form: Annotated[LogoutTokenForm, Form()], logouts: OidcLogoutServiceDep, entry: AuditEntryDep
) -> Response[None]:
    """End the sessions of somebody who has logged out at the provider, which sends this (back-channel logout)."""
    entry.details["sessions"] = await logouts.log_out(form.logout_token)
    return ok(None)


@router.get("/identities")
async def list_identities(
    claims: UserAccessJWTDep, identities: IdentityServiceDep
) -> Response[list[LinkedIdentityResponse]]:
    """List the identities at providers that the current user may log in with."""
    return ok([LinkedIdentityResponse.model_validate(each) for each in await identities.list(claims.user_id)])


@router.delete("/identities/{identityId}", dependencies=CHANGES_IDENTITIES)
@raises(NotFoundError("LinkedIdentity not found."), LAST_LOGIN)
async def unlink_identity(
    identity_id: IdentityId,
    claims: UserAccessJWTDep,
    identities: IdentityServiceDep,
    entry: AuditEntryDep,
) -> Response[None]:
    """Unlink an identity at a provider from the current user, and end the other sessions that it started."""
    entry.details["provider"] = (await identities.unlink(claims, identity_id)).provider
    return ok(None)


def set_cookie(response: HTTPResponse, provider: str, browser: str, resources: Resources) -> None:
    """Bind a login to the browser; `lax`, since the provider's page is another site."""
    name, secure = cookie_of(provider, resources), resources.settings.oidc.is_secure
    response.set_cookie(name, browser, STATE_SECONDS, secure=secure, httponly=True, samesite="lax")


def redirect(page: str, **values: str) -> HTTPResponse:
    """Send the browser to the frontend; what follows # is sent to no server, and so is in no log."""
    return RedirectResponse(f"{page}#{urlencode(values)}", 303)


def show_at(page: str, error: AppError) -> None:
    """Have the frontend show the error, if there is one: nobody likes to read JSON."""
    if page:
        error.status, error.headers = 303, {"Location": f"{page}#{urlencode({'error': error.error})}"}
