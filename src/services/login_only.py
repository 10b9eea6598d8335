"""What API keys, and administrators who act as a user, may not do: give or take a credential or a role."""

from src.core.exceptions import PermissionDeniedError, UnauthorizedError

ACT_AS = "POST:/api/v1/users/{userId}/act-as"
CAUGHT_EMAILS = "GET:/api/v1/ops/caught-emails"  # they have the links that set passwords

LOGIN_ONLY = frozenset(
    {
        "POST:/api/v1/api-keys",
        "POST:/api/v1/api-keys/{keyId}/rotate",
        "DELETE:/api/v1/api-keys/{keyId}",
        "POST:/api/v1/service-accounts",
        "POST:/api/v1/users",
        "PATCH:/api/v1/users/{userId}",
        "DELETE:/api/v1/users/{userId}",
        "PUT:/api/v1/users/{userId}/password",
        "PUT:/api/v1/users/{userId}/roles",
        "PUT:/api/v1/users/{userId}/status",
        "POST:/api/v1/users/{userId}/unlock",
        "DELETE:/api/v1/users/{userId}/factors",
        "DELETE:/api/v1/users/{userId}/sessions",
        "DELETE:/api/v1/users/{userId}/sessions/{sessionId}",
        "POST:/api/v1/roles",
        "DELETE:/api/v1/roles",
        "PUT:/api/v1/roles/{roleId}",
        "DELETE:/api/v1/roles/{roleId}",
    }
)
"""Codes of routes that make, change or end passwords, keys, sessions, accounts and roles; no key holds them."""
LOGIN_ONLY_WITH_EMAIL = frozenset({"POST:/api/v1/users/invitations", "DELETE:/api/v1/users/invitations/{invitationId}"})
"""The same, of routes that exist where e-mail is configured."""


WHILE_ACTING = frozenset(
    {"GET:/api/v1/auth/user/info", "GET:/api/v1/auth/sessions", "GET:/api/v1/auth/email", "POST:/api/v1/auth/logout"}
)
"""Routes about the caller's own account that an administrator may use who acts as a user; all others are refused."""


def own_login_required() -> PermissionDeniedError:
    """The error of routes about the caller's own account, and of Socket.IO, for those who act as somebody else."""
    return PermissionDeniedError("Only the user may do this, not somebody who acts as them.", error="auth.acting")


def login_required() -> UnauthorizedError:
    """The error of routes that accept no API key at all: those about the caller's own account, and Socket.IO."""
    return UnauthorizedError("API keys are not accepted here: log in.", error="auth.login_required")


def requires_login(code: str) -> bool:
    """Whether neither API keys nor those who act as a user can hold this code; Socket.IO is closed to both."""
    is_listed = code in LOGIN_ONLY or code in LOGIN_ONLY_WITH_EMAIL or code in (ACT_AS, CAUGHT_EMAILS)
    return is_listed or code.startswith("SOCKET:")
