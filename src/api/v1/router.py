from fastapi import APIRouter

from src.api.v1 import (
    audit_logs,
    auth,
    clients,
    dead_letters,
    files,
    notices,
    ops,
    permission_codes,
    permissions,
    roles,
    schedules,
    tasks,
    user_sessions,
    users,
)
from src.core.config import Settings
from src.deps.rate_limit import ANONYMOUS, MAILS

PREFIX = "/api/v1"


# In the order in which they appear in the documentation.
MODULES = (
    auth,
    users,
    user_sessions,
    roles,
    permissions,
    permission_codes,
    audit_logs,
    schedules,
    tasks,
    dead_letters,
    ops,
    clients,
    notices,
    files,
)


def create_router(settings: Settings) -> APIRouter:
    """All routes of version 1 that exist with these settings; include it with `PREFIX`."""
    router = APIRouter()
    for module in MODULES:
        router.include_router(module.router)
    if settings.ENVIRONMENT.has_docs:
        router.include_router(auth.swagger_router)
    if settings.auth.registration_enabled:
        # With e-mail, a registration sends one.
        limit = MAILS if settings.email.enabled else ANONYMOUS
        router.include_router(auth.registration_router, dependencies=[limit])
    if settings.auth.api_keys_enabled:
        from src.api.v1 import api_keys, service_accounts  # importing them builds their routes and schemas

        router.include_router(api_keys.router)
        router.include_router(service_accounts.router)
    if settings.auth.devices_enabled:
        from src.api.v1 import devices  # as above

        router.include_router(devices.router)
    if settings.email.enabled:
        from src.api.v1 import emails  # as above

        router.include_router(emails.router)
        router.include_router(emails.invitation_router)
    if settings.oidc.enabled:
        from src.api.v1 import oidc  # as above

        router.include_router(oidc.router)
    return router


def absent_paths(settings: Settings) -> set[str]:
    """Paths of routes that do not exist with these settings, where the path of another route matches them as well."""
    return set() if settings.email.enabled else {f"{PREFIX}/users/invitations"}
