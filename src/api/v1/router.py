from importlib import import_module

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
    for name in optional_modules(settings):
        module = import_module(f"src.api.v1.{name}")
        router.include_router(module.router)
        if name == "emails":
            router.include_router(module.invitation_router)
    return router


def optional_modules(settings: Settings) -> list[str]:
    """The modules whose routes exist with these settings; importing one builds its routes, so others are not."""
    modules = {
        "api_keys": settings.auth.api_keys_enabled,
        "service_accounts": settings.auth.api_keys_enabled,
        "account_export": settings.auth.export_days is not None,
        "account_deletion": settings.auth.deletion_days is not None,
        "act_as": settings.auth.act_as_enabled,
        "devices": settings.auth.devices_enabled,
        "factors": settings.has_factors,
        "user_factors": settings.has_factors,
        "passkeys": settings.has_passkeys,
        "emails": settings.email.enabled,
        "caught_emails": settings.email.caught_directory is not None,
        "oidc": settings.oidc.enabled,
    }
    return [name for name, exists in modules.items() if exists]


def absent_paths(settings: Settings) -> set[str]:
    """Paths of routes that do not exist with these settings, where the path of another route matches them as well."""
    return set() if settings.email.enabled else {f"{PREFIX}/users/invitations"}
