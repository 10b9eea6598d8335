"""The routes that demand no permission code; any other that is not guarded stops the start."""

from src.core.config import Settings

# For anybody: what leads to a token.
PUBLIC = {
    "GET:/api/v1/auth/keys/public",
    "POST:/api/v1/auth/login",
    "POST:/api/v1/auth/token/refresh",
}
PUBLIC_IN_DEBUG = {"POST:/api/v1/auth/login/swagger"}
PUBLIC_WITH_REGISTRATION = {"POST:/api/v1/auth/register"}

# For anybody who is logged in: what concerns the caller alone.
SELF_SERVICE = {
    "POST:/api/v1/auth/logout",
    "POST:/api/v1/auth/logout/all",
    "GET:/api/v1/auth/sessions",
    "DELETE:/api/v1/auth/sessions/{sessionId}",
    "PUT:/api/v1/auth/password",
    "GET:/api/v1/auth/user/info",
    "SOCKET:auth.refresh",
}


# Outside the API: for those who operate the service, and the pages of debug environments.
OUTSIDE = {
    "/livez",
    "/readyz",
    "/metrics",
    "/docs",
    "/redoc",
    "/docs/oauth2-redirect",
    "/docs/static",
    "/asyncapi",
    "/asyncapi.json",
    "/asyncapi/static",
}


def public_routes(settings: Settings) -> set[str]:
    """The routes for anybody that exist with these settings."""
    public = set(PUBLIC)
    if settings.ENVIRONMENT.is_debug:
        public |= PUBLIC_IN_DEBUG
    if settings.auth.registration_enabled:
        public |= PUBLIC_WITH_REGISTRATION
    return public
