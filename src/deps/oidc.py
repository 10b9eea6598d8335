"""Login with OpenID providers. The libraries for it are imported by the first request that needs them."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Header, Path
from starlette.requests import HTTPConnection

from src.core.config.app import Environment
from src.core.exceptions import NotFoundError, raises
from src.core.resources import Resources
from src.deps.auth import ClientDep
from src.deps.database import ResourcesDep, UnitOfWorkDep
from src.deps.token_delivery import DEVICE_HEADER
from src.schemas.base import SafeStr
from src.services.identity import IdentityService
from src.services.oidc import OidcService, OidcSignInService
from src.services.oidc_logout import OidcLogoutService

if TYPE_CHECKING:
    from src.core.oidc.provider import OidcProvider

ProviderName = Annotated[
    SafeStr, Path(alias="provider", max_length=32, description="Name of the provider.", examples=["google"])
]
UNKNOWN = NotFoundError("There is no such provider.")


def cookie_of(provider: str, resources: Resources) -> str:
    """The name of the cookie that binds a login to its browser, which takes `__Host-` from this host by HTTPS only."""
    return f"{'__Host-' if resources.settings.oidc.is_secure else ''}oidc-{provider}"


async def get_browser(connection: HTTPConnection, provider: ProviderName, resources: ResourcesDep) -> str:
    """What the cookie of the login holds; empty if the browser has none."""
    return connection.cookies.get(cookie_of(provider, resources), "")


@raises(UNKNOWN)
async def get_oidc_service(resources: ResourcesDep, provider: ProviderName) -> OidcService:
    """The service for logins with the provider of the path."""
    return OidcService(resources, find_provider(provider, resources))


async def get_oidc_sign_in_service(
    uow: UnitOfWorkDep,
    resources: ResourcesDep,
    client: ClientDep,
    device: Annotated[str, Header(alias=DEVICE_HEADER, description="From the response to an earlier login.")] = "",
) -> OidcSignInService:
    """The service that ends a login with a provider."""
    return OidcSignInService(uow, resources, replace(client, device=device))


@raises(UNKNOWN)
async def get_oidc_logout_service(resources: ResourcesDep, provider: ProviderName) -> OidcLogoutService:
    """The service for logouts at the provider of the path."""
    return OidcLogoutService(resources, find_provider(provider, resources))


async def get_identity_service(uow: UnitOfWorkDep, resources: ResourcesDep) -> IdentityService:
    """The service for the identities of the current user."""
    return IdentityService(uow, resources)


BrowserDep = Annotated[str, Depends(get_browser)]
OidcServiceDep = Annotated[OidcService, Depends(get_oidc_service)]
OidcSignInServiceDep = Annotated[OidcSignInService, Depends(get_oidc_sign_in_service)]
OidcLogoutServiceDep = Annotated[OidcLogoutService, Depends(get_oidc_logout_service)]
IdentityServiceDep = Annotated[IdentityService, Depends(get_identity_service)]


def find_provider(name: str, resources: Resources) -> "OidcProvider":
    """The provider with this name, which keeps what it publishes from login to login.

    Raises:
        NotFoundError: It is not configured.
    """
    settings = resources.settings
    if name not in settings.oidc.providers:
        raise NotFoundError("There is no such provider.")
    if name not in resources.oidc_providers:
        from src.core.oidc.provider import OidcProvider

        allows_http = settings.ENVIRONMENT is Environment.LOCAL
        resources.oidc_providers[name] = OidcProvider(name, settings.oidc, allows_http=allows_http)
    return resources.oidc_providers[name]
