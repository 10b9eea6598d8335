"""What API keys may not do: whoever finds a key gives nobody a credential or a role, and takes none away."""

from src.core.exceptions import UnauthorizedError

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
LOGIN_ONLY_WITH_EMAIL = frozenset({"POST:/api/v1/users/invitations"})
"""The same, of routes that exist where e-mail is configured."""


def login_required() -> UnauthorizedError:
    """The error of routes that accept no API key at all: those about the caller's own account, and Socket.IO."""
    return UnauthorizedError("API keys are not accepted here: log in.", error="auth.login_required")


def requires_login(code: str) -> bool:
    """Whether no API key can hold this code. Events are among them: Socket.IO accepts no keys."""
    return code in LOGIN_ONLY or code in LOGIN_ONLY_WITH_EMAIL or code.startswith("SOCKET:")
