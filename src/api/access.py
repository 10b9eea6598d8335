"""The routes that need no permission code. The application does not start with any other unguarded route."""

from src.core.config import Settings

# Without a token: the routes that lead to one.
PUBLIC = {
    "GET:/api/v1/auth/keys/public",
    "POST:/api/v1/auth/login",
    "POST:/api/v1/auth/token/refresh",
}
PUBLIC_IN_DEBUG = {"POST:/api/v1/auth/login/swagger"}
PUBLIC_WITH_REGISTRATION = {"POST:/api/v1/auth/register"}
PUBLIC_WITH_EMAIL = {
    "POST:/api/v1/auth/password/forgot",
    "POST:/api/v1/auth/password/reset",
    "POST:/api/v1/auth/invitations/accept",
}
PUBLIC_WITH_OIDC = {
    "GET:/api/v1/auth/oidc",
    "GET:/api/v1/auth/oidc/{provider}/start",
    "GET:/api/v1/auth/oidc/{provider}/callback",
    "POST:/api/v1/auth/oidc/{provider}/backchannel-logout",
    "POST:/api/v1/auth/login/oidc",
}

PUBLIC_WITH_FACTORS = {"POST:/api/v1/auth/login/factor"}
PUBLIC_WITH_PASSKEYS = {"POST:/api/v1/auth/login/passkey/options", "POST:/api/v1/auth/login/passkey"}

# With any live session: routes about the caller's own account.
SESSION_ROUTES = {
    "POST:/api/v1/auth/logout",
    "POST:/api/v1/auth/logout/all",
    "GET:/api/v1/auth/sessions",
    "DELETE:/api/v1/auth/sessions/{sessionId}",
    "PUT:/api/v1/auth/password",
    "GET:/api/v1/auth/user/info",
    "SOCKET:auth.refresh",
}
SESSION_ROUTES_WITH_EMAIL = {
    "GET:/api/v1/auth/email",
    "POST:/api/v1/auth/email/verification",
    "POST:/api/v1/auth/email/verify",
}
SESSION_ROUTES_WITH_OIDC = {
    "POST:/api/v1/auth/oidc/{provider}/link",
    "GET:/api/v1/auth/identities",
    "DELETE:/api/v1/auth/identities/{identityId}",
}
SESSION_ROUTES_WITH_FACTORS = {
    "GET:/api/v1/auth/factors",
    "POST:/api/v1/auth/factors/totp",
    "POST:/api/v1/auth/factors/{factorId}/confirm",
    "DELETE:/api/v1/auth/factors/{factorId}",
    "GET:/api/v1/auth/factors/recovery-codes",
    "POST:/api/v1/auth/factors/recovery-codes",
    "GET:/api/v1/auth/reauthentication",
    "POST:/api/v1/auth/reauthentication",
}
SESSION_ROUTES_WITH_PASSKEYS = {"POST:/api/v1/auth/factors/passkey"}


SESSION_ROUTES_WITH_DEVICES = {"GET:/api/v1/auth/devices", "DELETE:/api/v1/auth/devices/{deviceId}"}

SESSION_ROUTES_WITH_DELETION = {"POST:/api/v1/auth/account/deletion", "POST:/api/v1/auth/account/deletion/cancel"}

SESSION_ROUTES_WITH_EXPORT = {"GET:/api/v1/auth/account/export", "POST:/api/v1/auth/account/export"}

# Paths outside the API: health checks and metrics, the console's files, and the documentation of debug environments.
OUTSIDE = {
    "/livez",
    "/readyz",
    "/metrics",
    "/console",
    "/console/assets/{name:path}",
    "/console/{place:path}",
    "/docs",
    "/redoc",
    "/docs/oauth2-redirect",
    "/docs/static",
    "/asyncapi",
    "/asyncapi.json",
    "/asyncapi/static",
}


def public_routes(settings: Settings) -> set[str]:
    """The public routes that exist with these settings."""
    public = set(PUBLIC)
    if settings.ENVIRONMENT.has_docs:
        public |= PUBLIC_IN_DEBUG
    if settings.auth.registration_enabled:
        public |= PUBLIC_WITH_REGISTRATION
    if settings.email.enabled:
        public |= PUBLIC_WITH_EMAIL
    if settings.oidc.enabled:
        public |= PUBLIC_WITH_OIDC
    if settings.has_factors:
        public |= PUBLIC_WITH_FACTORS
    if settings.has_passkeys:
        public |= PUBLIC_WITH_PASSKEYS
    return public


def session_routes(settings: Settings) -> set[str]:
    """The routes for any live session that exist with these settings."""
    routes = set(SESSION_ROUTES)
    if settings.email.enabled:
        routes |= SESSION_ROUTES_WITH_EMAIL
    if settings.auth.devices_enabled:
        routes |= SESSION_ROUTES_WITH_DEVICES
    if settings.oidc.enabled:
        routes |= SESSION_ROUTES_WITH_OIDC
    if settings.has_factors:
        routes |= SESSION_ROUTES_WITH_FACTORS
    if settings.has_passkeys:
        routes |= SESSION_ROUTES_WITH_PASSKEYS
    if settings.auth.export_days is not None:
        routes |= SESSION_ROUTES_WITH_EXPORT
    if settings.auth.deletion_days is not None:
        routes |= SESSION_ROUTES_WITH_DELETION
    return routes
